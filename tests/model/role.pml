/* role.pml: the protocol of src/link/role.c and src/link/line.c, for spin.
 *
 * Two sessions share one worker. Each client pushes instructions into a line that holds CAPACITY of
 * them, waits for room when it is full, may mark the line (its queue has become expensive), may
 * read the last result, and closes. A third thread waits for a result of session 0 and may be late:
 * the session may close meanwhile. The worker's thread sleeps on its bell. Every access to shared
 * memory is a step of its own, in sequentially consistent order, as the C code has it; names are
 * those of the C code.
 *
 * What is checked: at most one thread executes (assert); everybody gets to its end, so no wake-up
 * is lost and no wait is for ever (spin's search for invalid end states; the worker's thread may
 * end asleep); every read is answered and a line is used by nobody when it is given up (asserts).
 *
 * BREAK_... takes one step of the protocol out; tests/model/check.sh makes sure that each is
 * missed.
 *
 * Left out: values of counters that only their difference matters of. A ring of the bell is one
 * bit, cleared where the thread takes note of the counter; so is the progress that a watcher takes
 * note of.
 */
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef PUSHES
#define PUSHES 3
#endif

#define LINES 2
#define THREADS 3              /* the two clients and the late reader */
#define READER 2

#define OPEN 0
#define CLOSING 1
#define GONE 2

#define ANSWER 0               /* kinds of goals */
#define DONE 1
#define END 2

bool held;                               /* role */
bool rung, bell_asleep;                  /* one word: count and flag */
bool in_bell;                            /* the worker's thread sleeps in the kernel */
short urgent;
bool mark[LINES];
byte state[LINES];
byte pushed[LINES], executed[LINES], released[LINES];
bool settled[LINES];                     /* evicted: whatever was pending is cancelled */
byte watchers[LINES];
bool progressed[THREADS];                /* since the watcher took note */
byte counted[THREADS];                   /* answer (1, 2, ...) whose sleepers it has joined */
byte in_kernel[THREADS];                 /* 0, or what it sleeps on: 1 + kind */
byte at_line[THREADS];
bool gate_closed;                        /* of session 0 */
byte inside;
byte executors;

/* ---- the bell ---- */

inline ring()
{
	if
	:: atomic { bell_asleep -> bell_asleep = false; rung = true }
		in_bell = false              /* the system call */
	:: atomic { !bell_asleep -> rung = true }
	fi
}

/* ---- waking waiters ---- */

/* Of answer k of line l. */
inline settle(l, k)
{
	d_step {
		for (w : 0 .. THREADS - 1) {
			if
			:: at_line[w] == l && counted[w] == k && in_kernel[w] == 1 + ANSWER ->
				in_kernel[w] = 0
			:: else
			fi
		}
		w = 0
	}
}

inline release(l)
{
	released[l] = executed[l];
	if
	:: watchers[l] > 0 ->
		d_step {
			for (w : 0 .. THREADS - 1) {
				if
				:: at_line[w] == l ->
					progressed[w] = true;
					if
					:: in_kernel[w] == 1 + DONE -> in_kernel[w] = 0
					:: else
					fi
				:: else
				fi
			}
			w = 0
		}
	:: else
	fi
}

/* ---- executing; the role is held ---- */

inline unmark(l)
{
	if
	:: mark[l] ->
		if
		:: atomic { mark[l] -> mark[l] = false } urgent--
		:: else
		fi
	:: else
	fi
}

inline tidy(l)
{
	if
	:: mark[l] && executed[l] == pushed[l] ->
		unmark(l);
		if
		:: executed[l] < pushed[l] -> set_mark(l)
		:: else
		fi
	:: else
	fi
}

/* One instruction of line l, if there is one; got tells. */
inline step(l)
{
	got = false;
	if
	:: executed[l] < pushed[l] -> got = true
	:: else ->
		unmark(l);
#ifndef BREAK_UNMARK
		got = (executed[l] < pushed[l])
#endif
	fi;
	if
	:: got ->
		executed[l]++;
		settle(l, executed[l])
	:: else
	fi
}

inline evict(l)
{
	unmark(l);
	settled[l] = true;
	d_step {
		for (w : 0 .. THREADS - 1) {
			if
			:: at_line[w] == l && in_kernel[w] == 1 + ANSWER -> in_kernel[w] = 0
			:: else
			fi
		}
		w = 0
	}
	executed[l] = pushed[l];
	release(l);
	state[l] = GONE;
	d_step {
		for (w : 0 .. THREADS - 1) {
			if
			:: at_line[w] == l && in_kernel[w] == 1 + END -> in_kernel[w] = 0
			:: else
			fi
		}
		w = 0
	}
}

/* ---- waiting, thread t on line l ---- */

#define REACHED(l, kind, k) (kind == ANSWER && (executed[l] >= k || settled[l]) \
	|| kind == DONE && released[l] >= k || kind == END && state[l] == GONE)
#define CROWDED(l) (urgent > mark[l])

inline help(l, kind, k)
{
	helped = false;
	if
	:: !CROWDED(l) && !held ->
		if
		:: atomic { !held -> held = true; executors++; assert(executors == 1) }
			if
			:: state[l] == OPEN ->
				do
				:: state[l] != OPEN || REACHED(l, kind, k) -> break
				:: else ->
					step(l);
					if
					:: got -> helped = true
					:: else -> break
					fi;
					if
					:: CROWDED(l) -> break
					:: !CROWDED(l)
					:: release(l)      /* a slice ends here or there */
					fi
				od;
				release(l);
				tidy(l)
			:: else
			fi;
			/* Looked at after the mark was taken off: closing is work too. */
#ifndef BREAK_CLOSE
			if
			:: state[l] == CLOSING -> evict(l)
			:: else
			fi;
#endif
			if
			:: state[l] == GONE -> helped = true
			:: else
			fi;
			d_step { executors--; held = false };
#ifndef BREAK_DROP
			if
			:: urgent > 0 -> ring()
			:: else
			fi
#endif
		:: else
		fi
	:: else
	fi
}

inline set_mark(l)
{
#ifdef BREAK_MARK
	if
	:: !held -> ring()
	:: else
	fi;
#endif
	if
	:: !mark[l] ->
		urgent++;
		if
		:: atomic { mark[l] -> skip } urgent--
		:: atomic { !mark[l] -> mark[l] = true }
		fi
	:: else
	fi;
#ifndef BREAK_MARK
	if
	:: !held -> ring()
	:: else
	fi
#endif
}

inline rest(t, l, kind, k)
{
	at_line[t] = l;
	if
	:: kind == ANSWER ->
		counted[t] = k;
		atomic {
			if
			:: REACHED(l, ANSWER, k)
			:: else -> in_kernel[t] = 1 + ANSWER
			fi
		}
	:: kind == DONE ->
		watchers[l]++;
		progressed[t] = false;
		if
#ifndef BREAK_WATCH
		:: REACHED(l, DONE, k)
#else
		:: false
#endif
		:: else ->
			atomic {
				if
				:: progressed[t]
				:: else -> in_kernel[t] = 1 + DONE
				fi
			}
		fi
	:: else ->
		atomic {
			if
			:: state[l] == GONE
			:: else -> in_kernel[t] = 1 + END
			fi
		}
	fi;
	in_kernel[t] == 0;
	counted[t] = 0;
	if
	:: kind == DONE -> watchers[l]--
	:: else
	fi;
	at_line[t] = LINES
}

inline wait(t, l, kind, k)
{
	do
	:: REACHED(l, kind, k) -> break
	:: else ->
		gone = (state[l] == GONE);
		if
		:: REACHED(l, kind, k) -> break
		:: else -> assert(!gone)
		fi;
		help(l, kind, k);
		if
		:: atomic { helped -> helped = false }
		:: atomic { !helped }
			set_mark(l);
			rest(t, l, kind, k)
		fi
	od
}

proctype client(byte me)
{
	byte n, w;
	bool got, helped, gone;

	do
	:: n < PUSHES ->
		if
		:: pushed[me] - released[me] >= CAPACITY ->
			wait(me, me, DONE, pushed[me] - CAPACITY / 2)
		:: else ->
			pushed[me]++;
			n++;
			if
			:: skip
			:: !mark[me] -> set_mark(me)      /* the queue has become expensive */
			:: wait(me, me, ANSWER, pushed[me]); assert(executed[me] >= n)
			fi
		fi
	:: break
	od;
	state[me] = CLOSING;
	wait(me, me, END, 0);
	if
	:: me == 0 ->
		gate_closed = true;
		inside == 0;
		/* A waiter that was leaving may have marked the line again. */
		unmark(me);
		assert(!mark[me])
	:: else
	fi;
	assert(executed[me] == pushed[me])
}

/* Waits for the first result of session 0 by the gate. */
proctype reader()
{
	byte w;
	bool got, helped, gone, entered;

	pushed[0] > 0 || state[0] == GONE;
	atomic { inside++; entered = !gate_closed }
	if
	:: entered -> wait(READER, 0, ANSWER, 1)
	:: else
	fi;
	assert(executed[0] >= 1 || settled[0] || !entered);
	inside--
}

#ifdef BREAK_CLOSE
#define LOOK_EARLY(l) closing = (state[l] == CLOSING)
#define IS_CLOSING(l) closing
#else
#define LOOK_EARLY(l) skip
#define IS_CLOSING(l) (state[l] == CLOSING)
#endif

/* One slice of line l; `any` remembers that there was something to do. */
inline slice(l)
{
	LOOK_EARLY(l);
	if
	:: state[l] == OPEN ->
		step(l);
		if
		:: got ->
			any = true;
			if
			:: skip
			:: step(l)
			fi;
			release(l)
		:: else
		fi
	:: else
	fi;
	if
	:: IS_CLOSING(l) -> evict(l); any = true
	:: else
	fi
}

proctype thread()
{
	byte w;
	bool got, any, closing;

end:	do
	:: rung = false;                 /* takes note of the bell */
		if
		:: !held ->
			if
			:: atomic { !held -> held = true; executors++; assert(executors == 1) }
				do
				:: any = false;
					slice(0);
					slice(1);
					if
					:: !any -> break
					:: else
					fi
				od;
				atomic { executors--; held = false };
				if
				:: urgent > 0 -> goto again
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		if
		:: atomic { !rung -> bell_asleep = true }
			atomic {
				if
				:: bell_asleep -> in_bell = true
				:: else
				fi
			}
end_asleep:		!in_bell
		:: rung
		fi;
again:		skip
	od
}

init {
	atomic {
		at_line[0] = LINES;
		at_line[1] = LINES;
		at_line[2] = LINES;
		run client(0);
#ifdef ONE_CLIENT
		state[1] = GONE;
#else
		run client(1);
#endif
#ifndef NO_READER
		run reader();
#endif
		run thread()
	}
}
