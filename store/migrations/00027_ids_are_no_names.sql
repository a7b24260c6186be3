-- A public name that is another deployment's id kept that one from being deleted.

-- +goose Up
UPDATE deployments SET slug = slug || '-' || substr(id, 31)
WHERE slug <> id AND slug IN (SELECT other.id FROM deployments AS other);
