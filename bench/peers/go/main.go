// SPDX-License-Identifier: Apache-2.0

// Go in the workloads of ../../pb_pool.h and ../../pb_loop.h, by the names that
// bench/driver/plan.c has:
//
//	go            a goroutine per task; GOMAXPROCS is the number of threads
//	go-chan-pool  as many goroutines as workers, fed by one channel of functions
//	go-actor      one goroutine that reads a channel of functions: a loop
//
// Goroutines mostly change places on one thread, so this is the second line to
// pass, not a peer. Run as PROGRAM NAME WORKLOAD THREADS.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var (
	name    string
	threads int
	submit  func(func())
)

// --- As pb.h -----------------------------------------------------------------

func env(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func scaled(n int) int {
	if n /= env("PB_SCALE", 1); n > 0 {
		return n
	}
	return 1
}

func check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "not so:", what)
		os.Exit(1)
	}
}

// CPU time of all threads.
func cpuTime() time.Duration {
	const processCPUTime = 2
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPUTime,
		uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}

type span struct{ wall, cpu time.Duration }

type clock struct {
	wall time.Time
	cpu  time.Duration
}

func begin() clock { return clock{cpu: cpuTime(), wall: time.Now()} }

func (c clock) end() span {
	wall := time.Since(c.wall)
	return span{wall, cpuTime() - c.cpu}
}

func out(row string, figure float64, unit string) {
	fmt.Printf("%s\t%s\t%d\t%.6g\t%s\n", row, name, threads, figure, unit)
}

func outSpan(row string, s span, n int, per string) {
	out(row, float64(s.wall)/float64(n), "ns/"+per)
	out(row+".cpu", float64(s.cpu)/float64(n), "cpu-ns/"+per)
}

func outLatency(row string, ns []uint32) {
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	n := len(ns)
	out(row, float64(ns[n/2]), "ns")
	out(row+".p99", float64(ns[n-1-n/100]), "ns")
}

func resident() int {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	check(len(fields) > 1, "/proc/self/statm")
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// --- T1, T3, L1: empty tasks -------------------------------------------------

func countTasks(n int) span {
	var all sync.WaitGroup
	done := all.Done // once: each such value is an allocation
	c := begin()
	all.Add(n)
	for i := 0; i < n; i++ {
		submit(done)
	}
	all.Wait()
	return c.end()
}

func t1(row, per string) {
	n := scaled(1000000)
	s := countTasks(n)
	outSpan(row, s, n, per)
	if row == "T1" { // its wait is that of a counter
		outSpan("T1c", s, n, per)
	}
}

// The clock starts with the earliest producer.
func t3() {
	const producers = 4
	n := scaled(1000000) / producers
	var all, ready sync.WaitGroup
	var begins [producers]time.Time
	done := all.Done
	all.Add(producers * n)
	ready.Add(producers)
	c := begin()
	for p := range begins {
		go func(begin *time.Time) {
			ready.Done()
			ready.Wait()
			*begin = time.Now()
			for i := 0; i < n; i++ {
				submit(done)
			}
		}(&begins[p])
	}
	all.Wait()
	end := time.Now()
	s := c.end()
	s.wall = 0
	for _, begin := range begins {
		if wall := end.Sub(begin); wall > s.wall {
			s.wall = wall
		}
	}
	outSpan("T3", s, producers*n, "task")
}

// --- T1f, L1f: with a future each --------------------------------------------

func getFutures(n int) span {
	c := begin()
	futures := make([]chan int, n)
	for i := range futures {
		future, value := make(chan int, 1), i
		futures[i] = future
		submit(func() { future <- value })
	}
	for i, future := range futures {
		check(<-future == i, "the value of a future")
	}
	return c.end()
}

func t1f(row, per string, warm bool) {
	n := scaled(1000000)
	outSpan(row, getFutures(n), n, per)
	if warm {
		outSpan(row+".warm", getFutures(n), n, per)
	}
}

// --- T2, L2: there and back --------------------------------------------------

func goRounds(row string) {
	most := scaled(100000)
	limit := time.Duration(env("PB_CAP_MS", 250)) * time.Millisecond
	ns := make([]uint32, 0, most)
	c := begin()
	for i := 0; i < most; i++ {
		if i >= 2048 && i&255 == 0 && time.Since(c.wall) > limit {
			break
		}
		t := time.Now()
		future := make(chan int, 1)
		submit(func() { future <- i })
		check(<-future == i, "the value of a future")
		ns = append(ns, uint32(time.Since(t)))
	}
	s := c.end()
	out(row+".cpu", float64(s.cpu)/float64(len(ns)), "cpu-ns/round")
	outLatency(row, ns)
}

// --- T4: a tree --------------------------------------------------------------

// Of "go" only.
func t4() {
	leaves, depth := scaled(1<<18), 0
	for 2<<depth <= leaves {
		depth++
	}
	var best span
	for again := 0; again < 3; again++ {
		var all sync.WaitGroup
		var tree func(depth int)
		tree = func(depth int) {
			if depth > 0 {
				go tree(depth - 1)
				go tree(depth - 1)
			} else {
				all.Done()
			}
		}
		c := begin()
		all.Add(1 << depth)
		go tree(depth)
		all.Wait()
		if s := c.end(); again == 0 || s.wall < best.wall {
			best = s
		}
	}
	outSpan("T4", best, 2<<depth-1, "task")
}

// --- T5: tasks that work -----------------------------------------------------

func work(steps int) uint64 {
	x := uint64(1)
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func stepsPerUs() int {
	const steps = 50000
	best, product := time.Hour, work(steps)
	for i := 0; i < 60; i++ {
		t := time.Now()
		check(work(steps) == product, "the product")
		if d := time.Since(t); d < best {
			best = d
		}
	}
	return 1 + int(steps*1000/best.Nanoseconds())
}

func t5(row string, us, n int) {
	steps := stepsPerUs() * us
	product := work(steps)
	var all sync.WaitGroup
	task := func() {
		check(work(steps) == product, "the product")
		all.Done()
	}
	run := func(start func(func())) (best span) {
		for again := 0; again < 2; again++ {
			c := begin()
			all.Add(n)
			for i := 0; i < n; i++ {
				start(task)
			}
			all.Wait()
			if s := c.end(); again == 0 || s.wall < best.wall {
				best = s
			}
		}
		return best
	}
	used := runtime.NumCPU()
	if used > threads {
		used = threads
	}
	alone := run(func(task func()) { task() })
	together := run(submit)
	out(row, 100*float64(alone.wall)/(float64(together.wall)*float64(used)), "%")
	out(row+".cpu", float64(together.cpu)/float64(n), "cpu-ns/task")
}

// --- T6: memory of what waits ------------------------------------------------

// Goroutines have no queue behind a worker: they wait by themselves.
func t6() {
	debug.SetGCPercent(-1)
	n := scaled(1000000)
	gate := make(chan int)
	var all sync.WaitGroup
	task := all.Done
	if name == "go" {
		task = func() { <-gate; all.Done() }
	} else {
		for i := 0; i < threads; i++ {
			submit(func() { <-gate })
		}
	}
	time.Sleep(50 * time.Millisecond)
	all.Add(n)
	before := resident()
	for i := 0; i < n; i++ {
		submit(task)
	}
	grown := resident() - before
	close(gate)
	all.Wait()
	out("T6", float64(grown)/float64(n), "B/task")
}

// --- L3: what fires or sleeps for 1 to 5 ms ----------------------------------

func fire(row string, n int, start func(length time.Duration, done func())) {
	var all sync.WaitGroup
	done := all.Done
	c := begin()
	all.Add(n)
	for i := 0; i < n; i++ {
		start(time.Duration(1000+i*7919%4001)*time.Microsecond, done)
	}
	all.Wait()
	s := c.end()
	check(n < 100 || s.wall > 3*time.Millisecond, "nobody is early")
	outSpan(row, s, n, "timer")
}

func setTimer(length time.Duration, done func()) {
	time.AfterFunc(length, func() { submit(done) })
}

func sleepFor(length time.Duration, done func()) {
	go func() {
		time.Sleep(length)
		done()
	}()
}

func l3Sleep() {
	fire("L3.sleep", scaled(20000), sleepFor)
	fire("L3.sleep.warm", scaled(20000), sleepFor)
}

// --- co: goroutines as coroutines --------------------------------------------

func coYield() {
	n := scaled(1000000)
	var all sync.WaitGroup
	var turns, last int64
	c := begin()
	all.Add(2)
	for me := int64(1); me <= 2; me++ {
		go func(me int64) {
			for i := 0; i < n; i++ {
				if atomic.LoadInt64(&last) != me {
					turns++
				}
				atomic.StoreInt64(&last, me)
				runtime.Gosched()
			}
			all.Done()
		}(me)
	}
	all.Wait()
	s := c.end()
	check(turns >= int64(n), "they took turns")
	outSpan("co.yield", s, 2*n, "yield")
}

func coMany() {
	n := scaled(100000)
	var waiting, all sync.WaitGroup
	gate := make(chan int)
	before := resident()
	c := begin()
	waiting.Add(n)
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			waiting.Done()
			<-gate
			all.Done()
		}()
	}
	waiting.Wait()
	s := c.end()
	grown := resident() - before
	close(gate)
	all.Wait()
	out("co.many", float64(n), "coroutines")
	out("co.many.resident", float64(grown)/1024/float64(n), "KiB")
	outSpan("co.many.each", s, n, "coroutine")
}

// --- main --------------------------------------------------------------------

// Reads functions from a channel that holds so many.
func startReaders(readers, room int) {
	calls := make(chan func(), room)
	for i := 0; i < readers; i++ {
		go func() {
			for call := range calls {
				call()
			}
		}()
	}
	submit = func(call func()) { calls <- call }
}

func start(workload string) bool {
	room := 1024
	if workload == "T6" {
		room = 1100000
	}
	switch name {
	case "go":
		runtime.GOMAXPROCS(threads)
		submit = func(call func()) { go call() }
	case "go-chan-pool":
		startReaders(threads, room)
	case "go-actor":
		startReaders(1, room)
	default:
		return false
	}
	return true
}

var workloads = map[string]func(){
	"T1":       func() { t1("T1", "task") },
	"T1f":      func() { t1f("T1f", "task", true) },
	"T2":       func() { goRounds("T2") },
	"T3":       t3,
	"T4":       t4,
	"T5.1us":   func() { t5("T5.1us", 1, scaled(100000)) },
	"T5.10us":  func() { t5("T5.10us", 10, scaled(10000)) },
	"T6":       t6,
	"L1":       func() { t1("L1", "callback") },
	"L1f":      func() { t1f("L1f", "callback", false) },
	"L2":       func() { goRounds("L2") },
	"L3":       func() { fire("L3", scaled(100000), setTimer) },
	"L3.sleep": l3Sleep,
	"co.spawn": func() { t1("co.spawn", "coroutine") },
	"co.yield": coYield,
	"co.many":  coMany,
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM NAME WORKLOAD THREADS")
		os.Exit(2)
	}
	name = os.Args[1]
	threads, _ = strconv.Atoi(os.Args[3])
	run := workloads[os.Args[2]]
	if threads < 1 || run == nil || !start(os.Args[2]) {
		os.Exit(2)
	}
	countTasks(2000)
	run()
}
