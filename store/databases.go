package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertLogin(l slipway.SealedLogin) error {
	return did(t.q.InsertLogin(t.ctx, db.InsertLoginParams{
		DeploymentID: string(l.Deployment), Number: int64(l.Number), Revision: l.Revision, Sealed: l.Sealed, CreatedAt: micros(l.CreatedAt),
	}), "insert login of", l.Deployment)
}

func (t Tx) ListLogins(d slipway.DeploymentID) ([]slipway.SealedLogin, error) {
	rows, err := t.q.ListLogins(t.ctx, string(d))
	return many(rows, err, sure(sealedLogin), "list logins of", d)
}

func (t Tx) DeleteLogin(d slipway.DeploymentID, number int) error {
	rows, err := t.q.DeleteLogin(t.ctx, db.DeleteLoginParams{DeploymentID: string(d), Number: int64(number)})
	return hit(rows, err, "delete login", number)
}

func (t Tx) InsertRedisNumber(d slipway.DeploymentID, number int) error {
	return did(t.q.InsertRedisNumber(t.ctx, db.InsertRedisNumberParams{DeploymentID: string(d), Number: int64(number)}), "insert number of", d)
}

func (t Tx) RedisNumber(d slipway.DeploymentID) (int, error) {
	number, err := t.q.GetRedisNumber(t.ctx, string(d))
	return one(number, err, sure(asInt), "number of", d)
}

func (t Tx) ListRedisNumbers() ([]int, error) {
	numbers, err := t.q.ListRedisNumbers(t.ctx)
	return many(numbers, err, sure(asInt), "list numbers of", "Redis")
}

func (t Tx) InsertRedisServer(s slipway.SealedRedis) error {
	return did(t.q.InsertRedisServer(t.ctx, db.InsertRedisServerParams{
		DeploymentID: string(s.Deployment), Port: int64(s.Port), Sealed: s.Sealed,
	}), "insert Redis of", s.Deployment)
}

func (t Tx) RedisServer(d slipway.DeploymentID) (slipway.SealedRedis, error) {
	row, err := t.q.GetRedisServer(t.ctx, string(d))
	return one(row, err, sure(sealedRedis), "Redis of", d)
}

func (t Tx) MoveRedisServer(d slipway.DeploymentID, port int) error {
	rows, err := t.q.MoveRedisServer(t.ctx, db.MoveRedisServerParams{DeploymentID: string(d), Port: int64(port)})
	return hit(rows, err, "move Redis of", d)
}

func sealedRedis(r db.RedisServer) slipway.SealedRedis {
	return slipway.SealedRedis{Deployment: slipway.DeploymentID(r.DeploymentID), Port: int(r.Port), Sealed: r.Sealed}
}

func asInt(n int64) int { return int(n) }

func sealedLogin(r db.Login) slipway.SealedLogin {
	return slipway.SealedLogin{
		Deployment: slipway.DeploymentID(r.DeploymentID), Number: int(r.Number), Revision: r.Revision, Sealed: r.Sealed, CreatedAt: moment(r.CreatedAt),
	}
}
