package trace

import "time"

// Stats is what is known of a project's runs, of those that are kept.
type Stats struct {
	Runs    int // that were posted
	Roots   int // root runs among them: the traces
	Pending int // root runs that have not ended
	Errors  int // root runs that failed
	First   time.Time
	Last    time.Time // start of the latest run; zero if there is none
	Bytes   int64     // what the runs take, compressed, without indexes
	Latency Histogram // of root runs that have ended
	Usage   Usage     // of all runs
}

// ErrorRate is the share of failed ones among the root runs that have ended or
// failed, false if there are none.
func (s *Stats) ErrorRate() (float64, bool) {
	ended := s.Roots - s.Pending
	if ended == 0 {
		return 0, false
	}
	return float64(s.Errors) / float64(ended), true
}
