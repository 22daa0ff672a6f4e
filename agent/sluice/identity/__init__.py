"""Who acts and what that person may do: access tokens, groups and roles, as the database has them."""
