-- Whom a message mentioned before it was edited or deleted, and what private receipts promise. Reads every revision
-- once, with its message; edits and deletions for everyone wait meanwhile, and with them the conversations they are in.

alter table parley.message_revision
add column mentions uuid[],
add column mentions_all boolean not null default false;
comment on column parley.message_revision.mentions is 'The users it mentioned. Null: none.';
comment on column parley.message_revision.mentions_all is 'True: it mentioned everybody.';

-- until now an edit left mentions as they were; those of deleted messages were not kept
update parley.message_revision as r
set mentions = m.mentions, mentions_all = m.mentions_all
from parley.message as m
where
    r.message_id = m.id
    and r.conversation_id is not distinct from m.conversation_id
    and (m.mentions is not null or m.mentions_all);

-- its one caller, in this schema, does so itself
-- squawk-ignore ban-drop-function
drop function if exists parley.hold_participant(uuid, uuid);

comment on column parley.read_marker.is_private
is 'True: the reader kept receipts to themselves at the time, and when it was read is for nobody else, ever. That it was read shows in the horizon once the reader shares receipts again.';
