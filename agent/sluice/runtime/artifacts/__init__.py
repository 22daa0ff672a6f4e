"""Files of artifacts, caches and attachments: found, packed into blobs, and unpacked again."""
