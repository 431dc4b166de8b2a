-- The search index takes the messages of five seconds together: writing the row of 32 messages costs as much for one
-- new message as for all of them. A search reads from the log what it has not reached. Who chose another pace keeps it.
update parley.job set period_seconds = 5 where name = 'index_messages' and period_seconds = 1;
