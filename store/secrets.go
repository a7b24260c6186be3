package store

import (
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertSecretSet(d slipway.DeploymentID, id slipway.SecretSetID, vars []slipway.SealedVar, refs []slipway.SecretRef) error {
	err := t.q.InsertSecretSet(t.ctx, db.InsertSecretSetParams{
		ID: string(id), DeploymentID: string(d), Refs: refsText(refs), Names: namesText(vars),
	})
	if err != nil {
		return did(err, "insert secret set", id)
	}
	for i, v := range vars {
		err := t.q.InsertSecretValue(t.ctx, db.InsertSecretValueParams{
			SetID: string(id), Position: int64(i), Name: v.Name, Sealed: v.Sealed,
		})
		if err != nil {
			return did(err, "insert value into secret set", id)
		}
	}
	return nil
}

func (t Tx) SecretSet(id slipway.SecretSetID) ([]slipway.SealedVar, []slipway.SecretRef, error) {
	set, err := t.q.GetSecretSet(t.ctx, string(id))
	refs, err := one(set.Refs, err, secretRefs, "secret set", id)
	if err != nil {
		return nil, nil, err
	}
	rows, err := t.q.ListSecretValues(t.ctx, string(id))
	vars, err := many(rows, err, sure(sealedVar), "values of secret set", id)
	return vars, refs, err
}

func (t Tx) SecretNames(id slipway.SecretSetID) ([]string, error) {
	set, err := t.q.GetSecretSet(t.ctx, string(id))
	return one(set.Names, err, sure(strings.Fields), "secret set", id)
}

func sealedVar(r db.SecretValue) slipway.SealedVar {
	return slipway.SealedVar{Name: r.Name, Sealed: r.Sealed}
}

// secretRefRecord has the fields of slipway.SecretRef.
type secretRefRecord struct {
	Name       string `json:"name"`
	SecretName string `json:"secret_name"`
	SecretKey  string `json:"secret_key"`
}

func refsText(refs []slipway.SecretRef) string {
	records := make([]secretRefRecord, len(refs))
	for i, r := range refs {
		records[i] = secretRefRecord(r)
	}
	return encode(records)
}

// namesText is what is shown of variables. A name has no space (domain).
func namesText(vars []slipway.SealedVar) string {
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = v.Name
	}
	return strings.Join(names, " ")
}

func secretRefs(text string) ([]slipway.SecretRef, error) {
	records, err := decode[[]secretRefRecord](text)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	refs := make([]slipway.SecretRef, len(records))
	for i, r := range records {
		refs[i] = slipway.SecretRef(r)
	}
	return refs, nil
}
