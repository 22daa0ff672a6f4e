terraform {
  required_providers {
    azuredevops = { source = "microsoft/azuredevops" }
  }
}

variable "url" {}
variable "token" { sensitive = true }
variable "description" { default = "made by terraform" }

provider "azuredevops" {
  org_service_url       = var.url
  personal_access_token = var.token
}

data "azuredevops_project" "here" { name = "default" }

resource "azuredevops_serviceendpoint_generic" "depot" {
  project_id            = data.azuredevops_project.here.id
  service_endpoint_name = "depot"
  server_url            = "https://depot.example"
  username              = "ada"
  password              = "correct horse battery"
  description           = var.description
}

resource "azuredevops_pipeline_authorization" "all" {
  project_id  = data.azuredevops_project.here.id
  resource_id = azuredevops_serviceendpoint_generic.depot.id
  type        = "endpoint"
}

resource "azuredevops_environment" "production" {
  project_id = data.azuredevops_project.here.id
  name       = "production"
}

resource "azuredevops_check_exclusive_lock" "one" {
  project_id           = data.azuredevops_project.here.id
  target_resource_id   = azuredevops_serviceendpoint_generic.depot.id
  target_resource_type = "endpoint"
}

resource "azuredevops_check_branch_control" "main" {
  project_id           = data.azuredevops_project.here.id
  display_name         = "Branch control"
  target_resource_id   = azuredevops_environment.production.id
  target_resource_type = "environment"
  allowed_branches     = "refs/heads/main"
}

resource "azuredevops_variable_group" "release" {
  project_id   = data.azuredevops_project.here.id
  name         = "release"
  allow_access = true
  variable {
    name  = "region"
    value = "north"
  }
  variable {
    name         = "token"
    secret_value = "correct horse battery"
    is_secret    = true
  }
}
