package engine

import (
	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// maxJobs is how many jobs may wait for the worker; a session has one at a time.
const maxJobs = 1024

// work runs what the core wants done off the loop, one job after the other: hashing and checking of
// large frames would hold up every session.
func (e *Engine) work() {
	var scratch p2pwire.Scratch
	for {
		select {
		case <-e.ctx.Done():
			return
		case j := <-e.loop.work:
			e.runJob(j, &scratch)
		}
	}
}

func (e *Engine) runJob(j *core.Job, scratch *p2pwire.Scratch) {
	defer failStop(e.log)
	j.Run(scratch)
	e.post(func() { e.loop.jobDone(j) })
}

func (lp *loop) jobDone(j *core.Job) {
	lp.begin()
	lp.m.JobDone(lp.now, j)
	lp.pump()
}

// handOut passes new jobs to the worker. Should it be that far behind, the loop waits for itself.
func (lp *loop) handOut() {
	lp.jobs = lp.m.Jobs(lp.jobs[:0])
	for _, j := range lp.jobs {
		select {
		case lp.work <- j:
		default:
			j.Run(&lp.scratch)
			lp.m.JobDone(lp.now, j)
		}
	}
	clear(lp.jobs)
}
