# The site's own customer file, and which purchases Meta has.

resource "aws_dynamodb_table" "registrations" {
  name                        = "${var.name_prefix}registrations"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "course_id"
  range_key                   = "email"
  deletion_protection_enabled = false

  attribute {
    name = "course_id"
    type = "S"
  }

  attribute {
    name = "email"
    type = "S"
  }

  attribute {
    name = "registration_id"
    type = "S"
  }

  global_secondary_index {
    name            = "registration_id"
    hash_key        = "registration_id"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.main.arn
  }
}

resource "aws_dynamodb_table" "purchases" {
  name         = "${var.name_prefix}purchases"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "purchase"

  attribute {
    name = "purchase"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.main.arn
  }
}
