"""The database: engine, tables, migrations, and one gateway a table group. The only place that knows SQL."""
