provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}

locals {
  # A company's own `application` takes the place of ours: IAM takes two keys that differ in case for one, and makes no role.
  own  = contains([for key in keys(var.tags) : lower(key)], "application") ? {} : { Application = "conversion-relay" }
  tags = merge(local.own, var.tags)
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
