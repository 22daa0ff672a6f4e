"""The server: an Azure DevOps-shaped REST interface, web pages, and the engine that carries runs out."""
