-- What a deployment does not need any more is given up before it is removed.

-- +goose Up
ALTER TABLE inventory ADD COLUMN released_at BIGINT NOT NULL DEFAULT 0;
