-- Workers, durable consumers and the purge of the log.
begin;
select plan(57);
\ir ../setup.psql
-- the search index has yet to read the log, which is kept for it
delete from parley.consumer;
select pg_temp.commit_events() is null as committed \gset

-- workers
delete from parley.worker;
select worker_id as one, lock_key as key from parley.worker_start('one', '1.0') \gset
select worker_id as two, lock_key as other_key from parley.worker_start('one', '1.0') \gset
select isnt(:one, :two, 'every start is a worker of its own, whatever its name');
select isnt(:key::bigint, :other_key::bigint, 'with its own lock');
select is(parley.worker_beat(:one), true, 'a worker''s beat is welcome');
select ok((select beat_at > now() from parley.worker where id = :one), 'and noted with the time of the clock');
update parley.worker set beat_at = now() - interval '61 seconds' where id = :two;
select is(parley.worker_beat(:one), true, 'the beat of one');
select is_empty(format('select from parley.worker where id = %s', :two), 'removes another that was silent for a minute');
select is(parley.worker_beat(:two), false, 'which then learns that it must register again');
update parley.worker set beat_at = clock_timestamp() - interval '30 seconds' where id = :one;
select is((select count(*) from parley.worker_start('three', '1')), 1::bigint, 'a third one starts');
select is((select count(*) from parley.worker), 2::bigint, 'less than a minute of silence is nothing');
select parley.worker_stop(:one) is null as stopped \gset
select is_empty(format('select from parley.worker where id = %s', :one), 'who stops is gone');

-- one that is older than the database
insert into parley.migration (version, name, sha256, breaking)
values (9000, '9000_more', repeat('0', 64), false), (9001, '9001_breaking', repeat('0', 64), true), (9002, '9002_more', repeat('0', 64), false);
select throws_ok('select parley.check_worker(9000)', 'PT426', null, 'a worker that does not know a breaking migration is refused');
select lives_ok('select parley.check_worker(9001)', 'one that does may run');
select lives_ok('select parley.check_worker(9002)', 'also with others since');

-- consumers
select is(parley.create_consumer('from_now'), true, 'a consumer is made');
select is(parley.create_consumer('from_now'), false, 'once');
select is(parley.create_consumer('from_start', true), true, 'another one from the beginning');
select is_empty($$select * from parley.consume('from_now')$$, 'what was there before is not for the first');
select is((select count(*) from parley.consume('from_start', 2)), 2::bigint, 'a batch for the second');
select is((select count(*) from parley.consume('from_start')), (select count(*) - 2 from parley.event), 'then the rest');
select is_empty($$select * from parley.consume('from_start')$$, 'and then nothing');

select parley_api.send_message(:'conversation', 'news') is not null as sent \gset
select is_empty($$select * from parley.consume('from_now')$$, 'events of the consumer''s own transaction wait for the next');
select pg_temp.commit_events() is null as committed \gset
savepoint failing;
select is((select string_agg(kind, ',') from parley.consume('from_now')), 'message:new', 'news is consumed');
rollback to failing;
select is((select string_agg(kind, ',') from parley.consume('from_now')), 'message:new', 'and again if the effect failed');
select is_empty($$select * from parley.consume('from_now')$$, 'but not after it has worked');
select throws_ok($$select * from parley.consume('nobody')$$, 'PT404', null, 'an unknown consumer is refused');
select throws_ok($$select * from parley.consume('from_now', 0)$$, 'PT400', null, 'an empty batch, too');

-- a restored dump: the cursor's and the events' transaction ids are of another cluster
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.send_message(:'conversation', 'before the dump') is not null as sent \gset
update parley.event set xid = '4000000000000' where xid = pg_current_xact_id();
update parley.consumer set snapshot = '4000000000000:4000000000001:', epoch = '1/1' where name = 'from_now';
update parley.log_state set system_identifier = 1;
select is((select string_agg(kind, ',') from parley.consume('from_now')), 'message:new',
    'a consumer continues in a restored database where it had stopped');
select is((select floor_id from parley.log_state), (select max(id) from parley.event), 'which now is the floor of late commits');
select is_empty(
    format('select * from parley.read_log(pg_current_snapshot(), %s, 100)', (select max(id) from parley.event)),
    'no reader takes restored events for late commits'
);
select is(parley.adopt_log(), false, 'and the log is adopted once');

-- purge
update parley.event set created_at = now() - interval '100 days'
where id < (select max(id) from parley.event) and id <> (select min(id) + 1 from parley.event);
select is(parley.purge_events(interval '90 days', 1000), 1::bigint, 'the purge stops at the first event that is young enough');
update parley.event set created_at = now() - interval '100 days' where id < (select max(id) from parley.event);
select is(parley.purge_events(interval '90 days', 2), 2::bigint, 'and after a batch');
update parley.consumer set max_id = (select min(id) from parley.event) where name = 'from_start';
select is((parley.maintain() ->> 'events_purged')::integer, 1, 'maintain purges as the setting says, but nothing a consumer has yet to read');
select is((select purged_id < min(id) from parley.log_state, parley.event group by purged_id), true, 'and remembers how far');

-- an event from the future, left by a clock that was ahead
savepoint steps;
delete from parley.consumer;
update parley.event set created_at = now() - interval '100 days';
select min(id) as first, max(id) as newest from parley.event \gset
update parley.event set created_at = now() + interval '40 days' where id in (:first, :newest);
select is(
    parley.purge_events(interval '90 days', 1000), (select count(*) from parley.event) - 1, 'one from the future does not stop the purge'
);
select results_eq('select id from parley.event', format('values (%s::bigint)', :newest), 'and is kept only while no old one follows');
rollback to steps;

-- one round of upkeep is more than one batch, and a setting that makes no sense costs no partition
insert into parley.event (user_id, kind, created_at)
select :'ann', 'session:revoked', now() - interval '100 days' from generate_series(1, 20500);
delete from parley.consumer;
update parley.event set created_at = now() - interval '100 days';
select ok((parley.maintain() ->> 'events_purged')::integer > 20500, 'a round of upkeep purges batch after batch');
select to_char(now() at time zone 'UTC' + interval '3 months', '"parley.message_"YYYY_MM') as furthest,
    to_char(now() at time zone 'UTC' - interval '1 month', '"parley.message_"YYYY_MM') as previous \gset
select isnt(to_regclass(:'previous'), null, 'there is a partition for a clock that is set back');
drop table :furthest;
update parley.setting set value = '0' where name = 'event_retention_days';
set local client_min_messages = error;
select is((parley.maintain() ->> 'partitions_made')::integer, 1, 'partitions are made whatever the retention of events');
select isnt(to_regclass(:'furthest'), null, 'three months ahead');
select to_char(now() at time zone 'UTC', '"parley.message_"YYYY_MM') as present \gset
drop table :present;
-- as for a clock that was set to where upkeep has not been
update parley.tier set partitions_until = date_trunc('month', now());
select pg_temp.be(:'bob') is null as is_bob \gset
select is(parley_api.send_message(:'conversation', 'in a month nobody prepared') ->> 'content', 'in a month nobody prepared', 'a send makes the partition that it finds missing');
select isnt(to_regclass(:'present'), null, 'that of its month');

-- times rise with event_seq, also when the clock was set back
update parley.conversation set last_event_at = now() + interval '1 hour' where id = :'conversation';
select parley_api.send_message(:'conversation', 'after the clock was set back') ->> 'id' as message \gset
select parley_api.add_reaction(:'message', '👍') is not null as reacted \gset
select is(
    (select array_agg(e.created_at = now() + interval '1 hour' order by e.event_seq desc)
     from (select * from parley.event e where e.conversation_id = :'conversation' order by e.event_seq desc limit 2) e),
    '{t,t}', 'no event is dated before another of its conversation'
);
select is((select created_at from parley.message where id = :'message'), now() + interval '1 hour', 'nor is a message');

-- positions: what they point at, and epochs
select epoch, max_id, xid, created_at as at from parley.log_position() \gset
select is(parley.position_holds(:'epoch', :max_id, :'xid', :'at'), true, 'a position holds');
select parley_api.send_message(:'conversation', 'more') is not null as sent \gset
select is(parley.position_holds(:'epoch', :max_id, :'xid', :'at'), true, 'also when the log went on');
select is(parley.position_holds(:'epoch', :max_id, (:xid::bigint - 1)::text::xid8, :'at'), false, 'but not where its event is of another transaction');
select is(parley.position_holds(:'epoch', :max_id, :'xid', :'at'::timestamptz - interval '1 microsecond'), false, 'or of another time');
select is(parley.position_holds(:'epoch', :max_id + 1000, :'xid', :'at'), false, 'or ahead of the log');
select is(parley.position_holds(:'epoch', :max_id + 1000, null, null), false, 'whoever it comes from');
savepoint purged;
delete from parley.event where id <= :max_id;
update parley.log_state set purged_id = :max_id;
select is(parley.position_holds(:'epoch', :max_id, :'xid', :'at'), true, 'what was purged is no other event');
rollback to purged;
select worker_id as worker from parley.worker_start('four', '1') \gset
select is(parley.begin_epoch('not now', 'another/1'), :'epoch', 'nobody begins an epoch after one that has ended already');
select isnt(parley.begin_epoch('set back to the copy of Monday'), :'epoch', 'a DBA begins an epoch');
select is((select epoch_reason from parley.log_state), 'set back to the copy of Monday', 'and says why');
select is(parley.position_holds(:'epoch', :max_id, :'xid', :'at'), false, 'of which no old position is a part');
select is(parley.worker_beat(:worker), false, 'workers register again, and learn of it');
select throws_ok($$select parley.begin_epoch(' ')$$, 'PT400', null, 'not without a reason');

select * from finish();
rollback;
