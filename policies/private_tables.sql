-- Tables no API role reads or writes: row-level security is on (in the migrations) and there is no policy, which means
-- nobody; the functions reach them as the owner.

revoke all on table parley.setting from public;
revoke all on table parley.tier from public;
revoke all on table parley.tier_entitlement from public;
revoke all on table parley.tier_limit from public;
revoke all on table parley.account from public;
revoke all on table parley.tenant from public;
revoke all on table parley.tenant_member from public;
revoke all on table parley.rate_bucket from public;
revoke all on table parley.direct_conversation from public;
revoke all on table parley.conversation_context from public;
revoke all on table parley.context_conversation from public;
revoke all on table parley.conversation_key from public;
revoke all on table parley.draft from public;
revoke all on table parley.message_type from public;
revoke all on table parley.message_key from public;
revoke all on table parley.message_revision from public;
revoke all on table parley.message_tombstone from public;
revoke all on table parley.reaction from public;
revoke all on table parley.read_marker from public;
revoke all on table parley.event from public;
revoke all on table parley.consumer from public;
revoke all on table parley.worker from public;
revoke all on table parley.expected_object from public;
revoke all on table parley.job from public;
revoke all on table parley.scheduled_message from public;
revoke all on table parley.poll from public;
revoke all on table parley.poll_vote from public;
revoke all on table parley.audit_log from public;
revoke all on table parley.conversation_revision from public;
revoke all on table parley.message_pin from public;
revoke all on table parley.message_star from public;
revoke all on table parley.message_forward from public;
revoke all on table parley.attachment_kind from public;
revoke all on table parley.media_type from public;
revoke all on table parley.stored_object from public;
