// Package vitals looks after agent servers that serve, for as long as they do:
// a process that is there need not do its work.
//
//	Watch ──► looks, each instance by itself ──► well
//	              │ silent, or its runs stand still
//	              └──► sick ──► the deployment is woken ──► Sick says why
//
// It only finds out. What is sick is remembered here, by the attempt, until the
// instance is not watched any more; to end it and start it again is for the
// reconciler, which also counts how often that was in vain. Nothing is written:
// after a restart of the data plane an instance is looked at anew, and found
// sick again if it is.
//
// Those that are due together are looked at one after another, though none waits long
// for one that is silent (internal/rounds): a thousand that are asked in bursts would
// be felt by who asks one of them.
//
// Two questions are put to an instance. Is it alive: does it answer its kind's
// probe, through the gateway's whole chain. And do its workers work: does a run
// wait for long while none runs. Neither is put to what starts (its gate does),
// hands over its state, or sleeps: that is not watched.
//
// A server that is busy is not sick. A miss needs an answer to take longer than
// [Config].Timeout, and sickness needs [Config].Misses of them in a row with
// [Config].Every from one to the next: with the defaults an event loop that is
// blocked for ten seconds, even often, misses none or one, and only one that is
// silent for 50 seconds on end is sick. Whoever waits for it has given up by then,
// and a restart is the lesser harm. Who has so much to do that the probe is late, and
// begins to answer others meanwhile, has not missed it. If of most deployments
// something misses at the same time, the machine is at fault, or we are: what is
// missed then does not count, since to start everything again would make it worse.
// That holds for five minutes: what lasts longer does not pass by itself, and who
// hangs in truth must not be left alone for ever.
package vitals
