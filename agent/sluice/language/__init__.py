"""Azure Pipelines YAML -> Plan. Pure: no database, no process, no network."""
