"""Who may use what: pipeline permissions, checkpoint evaluation, the audit chain. Pure: decides, never acts."""
