-- Notices hold ids and not names: what two columns of parley.message mean. Nobody waits for the locks, no row changes.
-- Notices of before keep their text until somebody whom they name is erased.

comment on column parley.message.content is
'The text. Null: it was deleted, its metadata or attachments say all, or the message is a notice (type system).';
comment on column parley.message.metadata is
'Free JSON object of the client. Of a notice: the sentence (notice), and who did what to whom. Null: empty.';
-- so that partitions say the same, whenever they were made
do $$
declare
    v_column record;
begin
    for v_column in
        select i.inhrelid::regclass as partition, a.attname, pg_catalog.col_description(a.attrelid, a.attnum) as comment
        from pg_catalog.pg_inherits as i
        inner join pg_catalog.pg_attribute as a on i.inhparent = a.attrelid
        where i.inhparent = 'parley.message'::regclass and a.attname in ('content', 'metadata')
    loop
        execute format('comment on column %s.%I is %L', v_column.partition, v_column.attname, v_column.comment);
    end loop;
end;
$$;
