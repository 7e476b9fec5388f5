// Package disklayer keeps the logs of kept addresses in a directory of this
// machine's disk. One process has the directory at a time; in it, any number of
// hubs may be attached.
//
// # What is promised
//
// A message is accepted, read and delivered only once it is synced to the disk
// (see [Durability] for the other choice). When writing or syncing fails, the
// database is given up at once: what was pending fails, and nothing is accepted. The
// code is [parley.Unavailable], and [Layer.Health] says why.
//
// Reading goes on: the database is opened for reading alone. Calls that come in between
// wait for that, until their contexts end. All of what was accepted can be read, and
// nothing else. [Open] does the same with a directory that cannot be written: its disk
// is full, read-only or failing. The layer tries again and again to write to it, with
// pauses of 5 seconds at most.
//
// Cursors that move meanwhile, and those of new devices, are kept in memory, and saved
// once the directory can be written. A crash before loses them: the devices get again
// what they acknowledged, and none misses a message.
//
// A process that is started on a failing disk may read what another one wrote and could
// not sync. It asks the disk once more to sync it; if that fails too it logs a warning.
//
// Nothing is accepted once the directory, the database in it or its log was removed,
// moved or replaced: that is looked at after each sync. No other directory at the same
// path is read or changed. It works again if it is brought back.
//
// Damage on the disk is the trouble of the logs in it. Calls that need a damaged part of
// a log fail with the code [parley.Internal]. All else of that log is served, and so are
// all other logs. A sweep that meets a damaged part stops there, and drops nothing behind
// it. Each damaged log and file is logged once, up to 1,024 of each, and [Layer.Damaged]
// counts the logs.
//
// # Age
//
// Messages, cursors and keys grow old by a clock of the layer's own, which a jump of the
// machine's wall clock does not move. It counts the time that processes run. Time in which
// the machine was off or suspended counts too, after an hour of running, if the wall
// clock was ahead for all of that hour: until then nothing is dropped for it. A wall
// clock that is wrong for longer is believed. [parley.Message.Time] is the wall clock's.
//
// # The directory
//
//	VERSION  "parley data 1", and below it "copy" where a backup was not opened yet,
//	         or "new" while the database is being made; nothing else
//	LOCK     locked while a process has the directory, which is locked itself too
//	db/      a Pebble database
//
// # The keyspace
//
// Numbers in keys are big-endian. An address is its kind (e, g, u or c), the
// length of its name in a byte (255 and a varint for a sender's that is longer), and
// the name: no address is a prefix of another, and no name can be mistaken for one.
//
//	a address         a log's bookkeeping: its head, its beginning and its base, at
//	                  the time of writing, which is when its first message was
//	                  appended, and whenever it was trimmed or a cursor forgotten
//	c address name    a named cursor, and when it was moved
//	k bucket hash     a dedup key: hash is of the address and the key, bucket of the
//	                  time, as wide as the window, so that a key is looked up in two
//	                  buckets (and the next one: a kill takes a second back), and
//	                  expires with a whole one
//	m address seq     a message, and how many bytes of data the log had taken with it
//	x name            epoch, those of the stores that this one is a copy of, floor, how
//	                  the store was last run, and its clock
//
// The places of one log are contiguous while it has bookkeeping. So trimming by
// count is arithmetic, and trimming by bytes or age a binary search. A log that
// was empty for long loses its bookkeeping, and the store's floor rises to its
// head: a log that is made anew begins behind the floor, so no place comes twice.
package disklayer
