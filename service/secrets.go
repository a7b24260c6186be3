package service

import (
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// replaceSecrets gives the deployment a new set of variables and references.
// Sets never change, since revisions pin them. The caller writes the row.
func (c *change) replaceSecrets(d *slipway.Deployment, vars []slipway.EnvVar, refs []slipway.SecretRef) error {
	if len(vars) == 0 && len(refs) == 0 {
		d.Secrets = ""
		return nil
	}
	if err := apart(vars, refs); err != nil {
		return err
	}
	old, _, err := c.sealed(d.Secrets)
	if err != nil {
		return err
	}
	set := slipway.NewID[slipway.SecretSetID](c.now)
	sealed := make([]slipway.SealedVar, 0, len(vars))
	for _, v := range lastOfEach(vars) {
		value := v.Value
		if value == slipway.MaskedValue {
			if value, err = c.unseal(d.Secrets, old, v.Name); err != nil {
				return err
			}
		}
		sealed = append(sealed, slipway.SealedVar{Name: v.Name, Sealed: c.service.sealer.Seal(value, secretRow(set, v.Name))})
	}
	if err := c.InsertSecretSet(d.ID, set, sealed, refs); err != nil {
		return fmt.Errorf("insert secrets: %w", err)
	}
	d.Secrets = set
	return nil
}

// apart refuses a name that has both a value and a reference.
func apart(vars []slipway.EnvVar, refs []slipway.SecretRef) error {
	for _, r := range refs {
		if slices.ContainsFunc(vars, func(v slipway.EnvVar) bool { return v.Name == r.Name }) {
			return slipway.Errorf(slipway.CodeInvalid, "Environment variable '%s' is both in 'secrets' and in 'secret_references'.", r.Name)
		}
	}
	return nil
}

// lastOfEach keeps each name once, with the value given last.
func lastOfEach(vars []slipway.EnvVar) []slipway.EnvVar {
	at := map[string]int{}
	var kept []slipway.EnvVar
	for _, v := range vars {
		if i, ok := at[v.Name]; ok {
			kept[i] = v
			continue
		}
		at[v.Name] = len(kept)
		kept = append(kept, v)
	}
	return kept
}

func (c *change) sealed(set slipway.SecretSetID) ([]slipway.SealedVar, []slipway.SecretRef, error) {
	if set == "" {
		return nil, nil, nil
	}
	vars, refs, err := c.SecretSet(set)
	if err != nil {
		return nil, nil, fmt.Errorf("read secrets: %w", err)
	}
	return vars, refs, nil
}

func (c *change) unseal(set slipway.SecretSetID, vars []slipway.SealedVar, name string) (string, error) {
	for _, v := range vars {
		if v.Name == name {
			value, err := c.service.sealer.Open(v.Sealed, secretRow(set, name))
			return value, wrap("read variable "+name, err)
		}
	}
	return "", slipway.Errorf(slipway.CodeInvalid, "Environment variable '%s' has a masked value, but no value of it is known.", name)
}

func (c *change) variables(set slipway.SecretSetID) ([]slipway.EnvVar, error) {
	sealed, _, err := c.sealed(set)
	if err != nil {
		return nil, err
	}
	vars := make([]slipway.EnvVar, len(sealed))
	for i, v := range sealed {
		vars[i].Name = v.Name
		if vars[i].Value, err = c.unseal(set, sealed, v.Name); err != nil {
			return nil, err
		}
	}
	return vars, nil
}

// secretRow names the row that a value is bound to.
func secretRow(set slipway.SecretSetID, name string) string {
	return "secret/" + string(set) + "/" + name
}
