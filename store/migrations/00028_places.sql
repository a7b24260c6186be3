-- On which server a database of a deployment is.

-- +goose Up
ALTER TABLE inventory ADD COLUMN place TEXT NOT NULL DEFAULT ''; -- '' where it is not known, or of no account
