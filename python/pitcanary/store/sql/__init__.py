"""The store on SQL: one implementation for SQLite and PostgreSQL.

Each file implements the protocols of the file of the same name in
`store.interface`, where the promises are written. All statements are built by
SQLAlchemy over `store.schema`; none is put together from text.
"""
