provider "aws" {
  region = var.aws_region

  default_tags {
    tags = merge({ Application = "conversion-relay" }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
