-- Search. Messages are indexed in blocks of 32 consecutive ones of a conversation: one row with the words of all of
-- them. A search reads the block rows of the caller's own conversations, by primary key, and then the messages of the
-- newest blocks that can match; so it costs what the caller's own messages cost, however many others there are and
-- however common the word is. The rows are written by parley.index_messages() behind the sends, which pay nothing; what
-- it has not reached yet is read from the log. Figures and the alternatives that were measured stand beside it.

create table parley.search_block (
    conversation_id uuid not null,
    block bigint not null,
    first_id uuid not null,
    last_id uuid not null,
    language text not null,
    terms tsvector,
    constraint search_block_pkey primary key (conversation_id, block),
    constraint search_block_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade
) with (fillfactor = 80, toast_tuple_target = 4080);
comment on table parley.search_block is
'The words of 32 consecutive messages, without their places. Goes with the conversation; made again without the message when one is edited, deleted or purged.';
comment on column parley.search_block.conversation_id is 'The conversation.';
comment on column parley.search_block.block is 'Messages with seq from 32 * block + 1 to 32 * block + 32.';
comment on column parley.search_block.first_id is 'The smallest id of these messages.';
comment on column parley.search_block.last_id is 'The greatest id of these messages.';
comment on column parley.search_block.language is
'Text search configuration, and version of it, that the terms were made with: parley.terms_version.';
comment on column parley.search_block.terms is
'Every word, and for scripts without spaces every character and pair of characters. Null: too many to be kept, look at the messages.';

create table parley.search_state (
    language text not null,
    rebuild_after uuid,
    rebuild_block bigint not null default 0,
    is_the_only_row boolean not null default true,
    constraint search_state_pkey primary key (is_the_only_row),
    constraint search_state_is_one_row_check check (is_the_only_row)
) with (fillfactor = 50);
comment on table parley.search_state is 'One row: how far the rebuilding of the search index has got.';
comment on column parley.search_state.language is
'Text search configuration and version of the last rebuilding. Another one, by the settings or an upgrade, starts the next.';
comment on column parley.search_state.rebuild_after is 'Conversations up to this id are rebuilt. Null: all are.';
comment on column parley.search_state.rebuild_block is 'The next block of the conversation after that one.';
comment on column parley.search_state.is_the_only_row is 'Always true: there is one row.';

alter table parley.search_block enable row level security;
alter table parley.search_state enable row level security;
