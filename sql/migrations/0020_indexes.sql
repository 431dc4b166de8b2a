-- Lists that an administrator asks for: conversations by status, and what a user has read. Each index is made under a
-- lock that lets reads pass and stops writes, for seconds per million rows: changes of a conversation's profile, then
-- reading. A migration is one transaction, in which no index can be made concurrently.

-- squawk-ignore require-concurrent-index-creation
create index conversation_profile_status_idx on parley.conversation_profile (status, updated_at, conversation_id);
comment on index parley.conversation_profile_status_idx is 'Conversations of one status, the last changed first.';

-- the same columns as the primary key: of the two a lookup may choose from, neither is the longer way
-- squawk-ignore require-concurrent-index-creation
create index read_marker_user_idx on parley.read_marker (user_id, conversation_id, seq);
comment on index parley.read_marker_user_idx is 'The receipts of one user in all their conversations.';
