-- How the active revision is to run is decided here, apart from what clients
-- ask for.

-- +goose Up
ALTER TABLE deployments ADD COLUMN running TEXT NOT NULL DEFAULT ''; -- JSON, '' for as it comes
