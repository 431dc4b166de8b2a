-- A change of a booking's status is said in its conversation, in the same transaction: both happen, or neither.
-- Copy it and put in the names of your table and columns. Run it as a role that may call send_system_message
-- (service_role, or the owner of Parley's schemas): the function keeps that right for whoever updates a booking.
-- A booking can outlive its conversation: then there is nobody to tell, and the booking changes all the same.
create function booking_status_message() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    perform parley_api.send_system_message(
        new.conversation_id, format('The booking is now %s.', new.status),
        jsonb_build_object('booking_id', new.id, 'status', new.status),
        skip_if_gone => true
    );
    return null;
end
$$;
revoke all on function booking_status_message() from public;

create trigger booking_status_message after update of status on booking
for each row when (old.status is distinct from new.status and new.conversation_id is not null)
execute function booking_status_message();
