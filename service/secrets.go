package service

import (
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// secretSet is what a deployment gets for its variables and references. One
// without an id holds nothing. Sets never change, since revisions pin them.
type secretSet struct {
	id   slipway.SecretSetID
	vars []slipway.SealedVar
	refs []slipway.SecretRef
}

func (s secretSet) names() []string {
	names := make([]string, len(s.vars))
	for i, v := range s.vars {
		names[i] = v.Name
	}
	return names
}

// replaceSecrets gives the deployment a new set. The caller writes the row.
func (c *change) replaceSecrets(d *slipway.Deployment, vars []slipway.EnvVar, refs []slipway.SecretRef) error {
	set, err := c.newSecrets(d.Secrets, vars, refs)
	if err != nil {
		return err
	}
	d.Secrets = set.id
	return c.insertSecrets(d.ID, set)
}

// newSecrets seals variables for a new set. What is masked is taken from the
// old one.
func (c *change) newSecrets(old slipway.SecretSetID, vars []slipway.EnvVar, refs []slipway.SecretRef) (secretSet, error) {
	if len(vars) == 0 && len(refs) == 0 {
		return secretSet{}, nil
	}
	if err := apart(vars, refs); err != nil {
		return secretSet{}, err
	}
	known, _, err := c.sealed(old)
	if err != nil {
		return secretSet{}, err
	}
	set := secretSet{id: slipway.NewID[slipway.SecretSetID](c.now)}
	if len(refs) > 0 { // none is none, empty or not
		set.refs = refs
	}
	for _, v := range lastOfEach(vars) {
		value := v.Value
		if value == slipway.MaskedValue {
			if value, err = c.unseal(old, known, v.Name); err != nil {
				return secretSet{}, err
			}
		}
		sealed := c.service.sealer.Seal(value, secretRow(set.id, v.Name))
		set.vars = append(set.vars, slipway.SealedVar{Name: v.Name, Sealed: sealed})
	}
	return set, nil
}

// insertSecrets writes a set that a deployment has been given.
func (c *change) insertSecrets(d slipway.DeploymentID, set secretSet) error {
	if set.id == "" {
		return nil
	}
	return wrap("insert secrets", c.InsertSecretSet(d, set.id, set.vars, set.refs))
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
