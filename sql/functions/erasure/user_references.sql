-- What an erasure does with each column that may refer to a user, as this release has it. A new table with such a
-- column gets its lines here; Tests/sql/catalog/erasure.sql fails until it has them.

with release (table_name, column_name, action, exported) as (
    values
    -- never a user, wherever they stand
    ('*', 'after_conversation_id', 'none', false),
    ('*', 'call_id', 'none', false),
    ('*', 'client_call_id', 'none', false),
    ('*', 'client_message_id', 'none', false),
    ('*', 'conversation_id', 'none', false),
    ('*', 'message_id', 'none', false),
    ('*', 'reply_to_id', 'none', false),
    ('*', 'tenant_id', 'none', false),
    -- the account stays, as nobody's: messages and horizons keep pointing to it
    ('account', 'id', 'keep', true),
    ('account', 'display_name', 'code', true),
    ('account', 'tier_name', 'keep', true),
    ('account', 'message_privacy', 'keep', true),
    ('account', 'read_receipts', 'keep', true),
    ('account', 'show_presence', 'keep', true),
    ('account', 'created_at', 'keep', true),
    ('account', 'updated_at', 'keep', false),
    ('account', 'suspended_at', 'keep', false),
    ('account', 'suspended_reason', 'code', false),
    ('account', 'tokens_valid_after', 'keep', false),
    ('account', 'deleted_at', 'keep', false),
    ('account_closing', 'user_id', 'keep', false),
    ('attachment', 'id', 'none', false),
    ('attachment', 'owner_id', 'code', true),
    ('attachment', 'variants', 'none', false),
    ('attachment', 'metadata', 'code', false),
    ('audit_log', 'actor_id', 'keep', false),
    ('audit_log', 'detail', 'none', false),
    ('audit_log', 'target_id', 'keep', false),
    ('call', 'id', 'none', false),
    ('call', 'initiator_id', 'keep', true),
    ('call_participant', 'user_id', 'code', true),
    ('call_signal', 'from_user_id', 'delete', false),
    ('call_signal', 'payload', 'none', false),
    ('call_signal', 'to_user_id', 'delete', false),
    ('conversation', 'id', 'none', false),
    ('conversation_context', 'added_by', 'clear', false),
    ('conversation_key', 'creator_id', 'keep', false),
    ('conversation_profile', 'created_by', 'keep', true),
    ('conversation_profile', 'settings', 'none', false),
    ('conversation_revision', 'user_id', 'keep', false),
    ('conversation_revision', 'was', 'none', false),
    ('direct_conversation', 'user_high', 'keep', false),
    ('direct_conversation', 'user_low', 'keep', false),
    ('draft', 'metadata', 'none', false),
    ('draft', 'user_id', 'delete', true),
    ('erasure', 'user_id', 'keep', false),
    ('event', 'actor_id', 'keep', false),
    ('event', 'data', 'none', false),
    ('event', 'user_id', 'keep', false),
    ('export', 'id', 'none', false),
    ('export', 'position', 'none', false),
    ('export', 'user_id', 'code', true),
    ('export_consent', 'requester_id', 'delete', true),
    ('export_consent', 'user_id', 'delete', true),
    ('feature_flag', 'announce_after', 'none', false),
    ('feature_flag_user', 'user_id', 'delete', false),
    ('hold', 'id', 'none', false),
    ('hold', 'placed_by', 'keep', false),
    ('hold', 'released_by', 'keep', false),
    ('hold', 'target_id', 'keep', false),
    ('log_state', 'epoch', 'none', false),
    ('message', 'id', 'none', false),
    ('message', 'mentions', 'keep', false),
    ('message', 'metadata', 'code', false),
    ('message', 'sender_id', 'code', true),
    ('message_forward', 'user_id', 'delete', true),
    ('message_hidden', 'user_id', 'delete', true),
    ('message_key', 'sender_id', 'delete', false),
    ('message_pin', 'pinned_by', 'clear', true),
    ('message_revision', 'mentions', 'keep', false),
    ('message_revision', 'metadata', 'code', false),
    ('message_revision', 'replaced_by', 'code', false),
    ('message_star', 'user_id', 'delete', true),
    ('message_uncounted', 'deleted_by', 'keep', false),
    ('message_uncounted', 'sender_id', 'keep', false),
    ('participant', 'added_by', 'clear', false),
    ('participant', 'user_id', 'code', true),
    ('poll', 'closed_by', 'clear', false),
    -- what was counted stays counted
    ('poll_vote', 'user_id', 'keep', true),
    ('purged_key', 'sender_id', 'delete', false),
    ('rate_bucket', 'user_id', 'delete', false),
    ('reaction', 'user_id', 'delete', true),
    ('read_marker', 'user_id', 'delete', true),
    ('scheduled_message', 'attachment_ids', 'none', false),
    ('scheduled_message', 'id', 'none', false),
    ('scheduled_message', 'mentions', 'keep', false),
    ('scheduled_message', 'metadata', 'none', false),
    ('scheduled_message', 'sender_id', 'delete', true),
    ('search_block', 'first_id', 'none', false),
    ('search_block', 'last_id', 'none', false),
    ('search_state', 'rebuild_after', 'none', false),
    ('tenant', 'id', 'none', false),
    ('tenant_member', 'user_id', 'delete', true),
    ('window_growth', 'user_id', 'delete', false)
),

gone as (
    delete from parley.user_reference as u
    where not exists (
        select from release as r where r.table_name = u.table_name and r.column_name = u.column_name
    )
)

insert into parley.user_reference as u (table_name, column_name, action, exported)
select
    r.table_name,
    r.column_name,
    r.action,
    r.exported
from release as r
on conflict on constraint user_reference_pkey do update
    set action = excluded.action, exported = excluded.exported
    where (u.action, u.exported) is distinct from (excluded.action, excluded.exported);
