-- Attachments: declared, uploaded elsewhere, recorded, attached; limits and types by rows; who may see them; and what
-- becomes of the files when a message goes.
begin;
select plan(165);
\ir ../people.psql

create function t.declare(kind text, content_type text, byte_size bigint, name text default 'a') returns text language plpgsql as $$
begin
    return parley_api.declare_attachment(
        t.id('talk'), kind, name, content_type, byte_size,
        duration_ms => case when kind in ('voice', 'video') then 1500 end,
        waveform => case when kind = 'voice' then array[0, 128, 255] end
    ) ->> 'id';
end
$$;

create function t.service() returns void language sql as $$ select t.claim('service_role', '{"role": "service_role"}') $$;

-- Declared by a person and uploaded, under a name.
create function t.uploaded(name text, who text, kind text, content_type text) returns void language plpgsql as $$
begin
    perform t.act(who);
    perform t.keep(name, t.declare(kind, content_type, 1000, name || '.bin'));
    perform t.service();
    perform parley_api.record_upload(t.id(name), 1000);
    perform t.act(who);
end
$$;

create function t.state(name text) returns text language sql as $$
    select t.look(format('select concat_ws('' '', state, scan_state, coalesce(position::text, ''-'')) from parley.attachment where id = %L', t.id($1)))
$$;

create function t.seen() returns text language sql as $$
    select string_agg(a.file_name, ' ' order by a.file_name) from parley_api.attachments a where a.conversation_id = t.id('talk')
$$;

create function t.object(name text) returns text language sql as $$
    select t.look(format(
        'select concat_ws('' '', o.reference_count, case when o.unreferenced_at is null then ''kept'' else ''to delete'' end)
         from parley.stored_object o inner join parley.attachment a on a.storage_path = o.storage_path where a.id = %L', t.id($1)
    ))
$$;

create function t.gallery(kinds text[], before_seq bigint, page_size integer) returns text language sql as $$
    select concat_ws(' ', (select string_agg(a ->> 'file_name', ' ' order by n) from jsonb_array_elements(r -> 'attachments') with ordinality x (a, n)),
        r ->> 'has_more', r ->> 'next_before_seq')
    from parley_api.get_conversation_media(t.id('talk'), kinds, before_seq, page_size) r
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.send('talk', 'first') is null as sent \gset

-- declaring
select is(
    parley_api.declare_attachment(t.id('talk'), 'image', 'Katze.PNG', 'Image/PNG; q=1', 2000, 640, 480, metadata => '{"alt": "a cat"}')
        - '{id}'::text[],
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'kind', 'image', 'state', 'declared', 'scan_state', 'pending', 'file_name', 'Katze.PNG',
        'content_type', 'image/png', 'byte_size', 2000, 'width', 640, 'height', 480, 'duration_ms', null, 'waveform', null,
        'variants', '[]'::jsonb, 'url', null, 'metadata', '{"alt": "a cat"}'::jsonb, 'max_bytes', 10485760, 'max_seconds', null
    ),
    'a picture is declared, and the limits of its upload are told'
);
select is(
    t.failure($$select t.declare('image', 'image/svg+xml', 10)$$),
    '{"code": "PT400", "message": "This type of file is not supported.", "detail": "",
      "hint": "Supported: image/gif, image/heic, image/heif, image/jpeg, image/png, image/webp."}',
    'a type that is not in the list is refused, and the list is told'
);
select t.refused('PT400', $$select t.declare('file', 'text/html', 10)$$, 'what a browser would run is not in it');
select t.refused('PT400', $$select t.declare('file', null, 10)$$, 'a type is needed');
select t.refused('PT400', $$select t.declare('image', 'video/mp4', 10)$$, 'a video is no picture');
select is(
    t.failure($$select t.declare('hologram', 'image/png', 10)$$) ->> 'hint', 'Kinds: audio, file, image, video, voice.',
    'kinds are those there are'
);
select t.refused('PT400', $$select t.declare(null, 'image/png', 10)$$, 'and one is needed');
select t.refused('PT400', format('select t.declare(''image'', ''image/png'', %L)', n), 'a size of ' || coalesce(n::text, 'nothing') || ' is refused')
from unnest(array[0, -1, null]) n;
select is(
    t.failure($$select t.declare('image', 'image/png', 10485761)$$),
    '{"code": "PT413", "message": "The file is too large: at most 10485760 bytes.", "detail": "It has 10485761.", "hint": ""}',
    'a file over 10 MB is too large, and the limit is told'
);
select isnt(t.declare('image', 'image/png', 10485760), null, 'one of 10 MB is not');
select t.refused('PT400', $$select parley_api.declare_attachment(t.id('talk'), 'video', 'v', 'video/mp4', 10)$$, 'a video says how long it is');
select isnt(t.declare('video', 'video/mp4', 104857600), null, 'a video may have 100 MB');
select t.refused('PT413', $$select t.declare('video', 'video/mp4', 104857601)$$, 'and not more');
select t.refused('PT413',
    $$select parley_api.declare_attachment(t.id('talk'), 'video', 'v', 'video/mp4', 10, duration_ms => 300001)$$, 'nor more than 5 minutes');
select isnt(parley_api.declare_attachment(t.id('talk'), 'video', 'v', 'video/mp4', 10, duration_ms => 300000), null, 'but those');
select t.host();
update parley.tier_limit set amount = 20971520 where tier_name = 'privileged_plus' and name = 'max_file_bytes';
select throws_ok(
    $$insert into parley.tier_limit (tier_name, name, amount) values ('privileged_plus', 'max_image_bytes', 100)$$, '23503', null,
    'a limit that is not in the catalogue is refused'
);
insert into parley.limit_kind (name, kind, unit, meaning, default_amount, doors)
values ('max_image_bytes', 'limit', 'bytes', 'Size of a picture.', 200, '{declare_attachment}');
insert into parley.tier_limit (tier_name, name, amount) values ('privileged_plus', 'max_image_bytes', 100);
select t.act('ann');
select isnt(t.declare('file', 'application/pdf', 20971520), null, 'limits are rows of the tier');
select t.refused('PT413', $$select t.declare('image', 'image/png', 101)$$, 'and of the kind, where the deployment gives it its own');
select t.host();
delete from parley.tier_limit where name = 'max_image_bytes';
select t.act('ann');
select t.refused('PT413', $$select t.declare('image', 'image/png', 201)$$, 'without a row its default');
select isnt(t.declare('image', 'image/png', 200), null, 'and no less');
select t.host();
\ir ../../../sql/functions/limits/limit_kinds.sql
select is((select k.default_amount from parley.limit_kind k where k.name = 'max_image_bytes'), 200::bigint, 'which an installation leaves alone');
delete from parley.limit_kind where name = 'max_image_bytes';
insert into parley.media_type values ('file', 'model/gltf-binary');
select t.act('ann');
select isnt(t.declare('file', 'model/gltf-binary', 1), null, 'types are rows, too');
select t.refused('PT400', format('select t.declare(%L, %L, 1, %L)', 'image', 'image/png', n), 'no file is called ' || coalesce(quote_literal(n), 'nothing'))
from unnest(array['', '  ', repeat('x', 256), '../etc', E'a\nb', 'a\b', null]) n;
select isnt(t.declare('image', 'image/png', 1, repeat('x', 255)), null, 'a name may have 255 characters');
select t.refused('PT400',
    format('select parley_api.declare_attachment(t.id(%L), %L, %L, %L, 10, duration_ms => 10, waveform => %L)', 'talk', 'voice', 'v', 'audio/ogg', w),
    'a voice message has no waveform ' || left(w, 20))
from unnest(array['{}', '{256}', '{-1}', '{1,null}', '{{1,2},{3,4}}', array_fill(1, array[257])::text]) w;
select t.refused('PT400', $$select parley_api.declare_attachment(t.id('talk'), 'voice', 'v', 'audio/ogg', 10, waveform => '{1}')$$, 'nor is it without a duration');
select t.refused('PT400', $$select parley_api.declare_attachment(t.id('talk'), 'voice', 'v', 'audio/ogg', 10, duration_ms => 10)$$, 'or a waveform');
select is(
    parley_api.declare_attachment(
        t.id('talk'), 'voice', 'v', 'audio/webm;codecs=opus', 10, duration_ms => 10, waveform => array_fill(255, array[256])
    ) ->> 'content_type',
    'audio/webm', 'with both it is one, whatever its codec'
);
select t.refused('PT400', $$select parley_api.declare_attachment(t.id('talk'), 'image', 'i', 'image/png', 10, 0, 5)$$, 'a picture has a width');
select t.refused('PT400', $$select parley_api.declare_attachment(t.id('talk'), 'image', 'i', 'image/png', 10, metadata => '[1]')$$, 'metadata is an object');

-- only where one may send
select t.act('eve');
select t.refused('PT403', $$select t.declare('image', 'image/png', 1)$$, 'a stranger uploads nothing');
select t.act('cid');
select t.look(format($$update parley.conversation_profile set who_can_send = 'admins_only' where conversation_id = %L returning type$$, t.id('talk'))) as closed \gset
select t.refused('PT403', $$select t.declare('image', 'image/png', 1)$$, 'nor does who may not send');
select t.look(format($$update parley.conversation_profile set who_can_send = 'everyone', status = 'locked' where conversation_id = %L returning type$$, t.id('talk'))) as closed \gset
select t.refused('PT403', $$select t.declare('image', 'image/png', 1)$$, 'nor anybody to a locked conversation');
select t.look(format($$update parley.conversation_profile set status = 'active' where conversation_id = %L returning type$$, t.id('talk'))) as opened \gset
select is((select count(t.declare('image', 'image/png', 1)) from generate_series(1, 50)), 50::bigint, '50 files an hour may be declared');
select is(t.failure($$select t.declare('image', 'image/png', 1)$$) ->> 'code', 'PT429', 'and no more');
select matches(t.failure($$select t.declare('image', 'image/png', 1)$$) ->> 'detail', '^Retry-After: [0-9]+$', 'the answer says when to try again');
select t.host();
update parley.tier_limit set amount = null, burst = null where name = 'uploads_per_hour';
delete from parley.attachment;
delete from parley.stored_object;

-- uploads are recorded by the service
select t.act('ann');
select t.keep('pic', t.declare('image', 'image/png', 1000, 'pic.png'));
select t.refused('42501', $$select parley_api.record_upload(t.id('pic'), 1000)$$, 'no user records an upload');
select t.refused('42501', $$select parley_api.record_scan(t.id('pic'), 'clean')$$, 'or a scan');
select t.refused('42501', $$select parley_api.get_stored_attachment(t.id('pic'))$$, 'or learns where a file lies');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('pic')])$$,
    'what has not been uploaded is not sent');
select t.service();
select t.refused('PT404', $$select parley_api.record_upload(t.id('none'), 1)$$, 'nothing is recorded of what was not declared');
select t.refused('PT400', $$select parley_api.record_upload(null, 1)$$, 'or not named');
select t.refused('PT400', $$select parley_api.record_upload(t.id('pic'), 1, url => 'javascript:alert(1)')$$, 'a URL is http or https');
select t.refused('PT400', $$select parley_api.record_upload(t.id('pic'), 1, variants => '{}')$$, 'variants are a list');
select is(
    parley_api.get_stored_attachment(t.id('pic')) - '{id,waveform,duration_ms,width,height,variants,url,metadata,failure,message_id}'::text[],
    jsonb_build_object(
        'kind', 'image', 'state', 'declared', 'scan_state', 'pending', 'file_name', 'pic.png', 'content_type', 'image/png',
        'byte_size', 1000, 'conversation_id', t.id('talk'), 'owner_id', t.id('ann'), 'max_bytes', 20971520, 'max_seconds', null,
        'storage_path', 'attachments/' || t.id('pic')
    ),
    'the service learns whose file it is, where it is to lie and how large it may be'
);
select parley_api.record_upload(
    t.id('pic'), 1001, 'image/jpeg', 10, 20, variants => '[{"name": "small", "width": 5}]', url => 'https://files.example/pic'
) as recorded \gset
select is(:'recorded'::jsonb ->> 'state', 'uploaded', 'an upload is recorded');
select is(
    :'recorded'::jsonb - '{id,metadata,waveform,duration_ms,failure,conversation_id,file_name,kind,scan_state,state}'::text[],
    '{"byte_size": 1001, "content_type": "image/jpeg", "width": 10, "height": 20, "variants": [{"name": "small", "width": 5}],
      "url": "https://files.example/pic", "status": 200}', 'with what was found in the file'
);
select is(parley_api.record_upload(t.id('pic'), 1001, 'image/jpeg') ->> 'state', 'uploaded', 'again is fine');
select t.refused('PT409', $$select parley_api.record_upload(t.id('pic'), 7)$$, 'another file is another attachment');
select t.act('ann');
select t.keep('big', t.declare('image', 'image/png', 1000, 'big.png')), t.keep('fake', t.declare('image', 'image/png', 1000, 'fake.png')),
    t.keep('lost', t.declare('image', 'image/png', 1000, 'lost.png'));
select t.service();
select is(
    (select jsonb_build_array(r -> 'state', r -> 'status', r -> 'failure') from parley_api.record_upload(t.id('big'), 20971521) r),
    '["failed", 413, "The file is too large: at most 20971520 bytes."]', 'a file larger than declared fails, with the status for its sender'
);
select is(
    (select jsonb_build_array(r -> 'state', r -> 'status') from parley_api.record_upload(t.id('fake'), 1000, 'text/html') r),
    '["failed", 400]', 'as does one that is something else'
);
select is(
    (select jsonb_build_array(r -> 'state', r -> 'failure') from parley_api.record_upload(t.id('lost'), failure => 'The connection was lost.') r),
    '["failed", "The connection was lost."]', 'or that did not arrive'
);
select t.refused('PT409', $$select parley_api.record_upload(t.id('big'), 1000)$$, 'what has failed is declared again');
select t.act('ann');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('big')])$$, 'and is not sent');

-- attaching
select t.uploaded('voice', 'ann', 'voice', 'audio/ogg'), t.uploaded('pdf', 'ann', 'file', 'application/pdf'), t.uploaded('bobs', 'bob', 'image', 'image/png');
select t.act('ann');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('bobs')])$$, 'another''s file is not to be had');
select t.refused('PT404', $$select parley_api.send_message(t.id('other'), 'x', attachment_ids => array[t.id('pic')])$$, 'nor one''s own of another conversation');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('pic'), t.id('pic')])$$, 'nor one twice');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('pic'), null])$$, 'nor none');
select is(
    t.failure($$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('none')])$$),
    t.failure($$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('bobs')])$$),
    'one that is not there is refused in the same words'
);
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), null, 'voice', attachment_ids => array[t.id('pic')])$$, 'a picture is no voice message');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', 'voice')$$, 'which needs its recording');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), null, 'image', attachment_ids => array[t.id('pdf')])$$, 'a document is no picture');
select t.refused('PT400',
    $$select parley_api.send_message(t.id('talk'), null, 'location', metadata => '{"latitude": 1, "longitude": 1}', attachment_ids => array[t.id('pic')])$$,
    'a place has no files');
select t.last_event_seq('talk') as event_seq \gset
select parley_api.send_message(t.id('talk'), null, 'file', client_message_id => t.id('none'), attachment_ids => array[t.id('pdf'), t.id('pic')]) as sent \gset
select t.keep('message', :'sent'::jsonb ->> 'id');
select is(
    (select jsonb_agg(jsonb_build_array(a -> 'file_name', a -> 'state') order by n) from jsonb_array_elements(:'sent'::jsonb -> 'attachments') with ordinality x (a, n)),
    '[["pdf.bin", "attached"], ["pic.png", "attached"]]', 'a message has its files in the order of the call, and needs no text'
);
select is(
    (select string_agg(m.has_attachments::text, ' ' order by m.seq desc) from parley_api.messages m where m.conversation_id = t.id('talk')),
    'true false', 'which the view says in one word'
);
select is(t.events_since('talk', :event_seq), 'message:new', 'it is one event');
select is(
    parley_api.send_message(t.id('talk'), null, 'file', client_message_id => t.id('none'), attachment_ids => array[t.id('pdf'), t.id('pic')]),
    :'sent'::jsonb, 'the same again is the same message'
);
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), null, 'file', client_message_id => t.id('none'), attachment_ids => array[t.id('pic')])$$,
    'and with other files another');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('pic')])$$, 'a file is sent once');
select is(
    parley_api.send_message(t.id('talk'), null, 'voice', attachment_ids => array[t.id('voice')]) #> '{attachments,0,waveform}',
    '[0, 128, 255]', 'a voice message has its waveform'
);
select is(
    parley_api.get_conversation_messages(t.id('talk'), after_seq => 1) #> '{messages,0,attachments}', :'sent'::jsonb -> 'attachments',
    'everybody is shown them'
);
select is((parley_api.edit_message(t.id('message'), 'two files') -> 'attachments'), :'sent'::jsonb -> 'attachments', 'an edit leaves them');
select is(parley_api.edit_message(t.id('message'), null) -> 'content', 'null', 'and may take the text away, where there are files');
select is(
    (select count(*) from (select t.uploaded('n' || n, 'ann', 'image', 'image/png') from generate_series(1, 11) n) x), 11::bigint, 'eleven more files'
);
select t.refused('PT400',
    $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array(select t.id('n' || n) from generate_series(1, 11) n))$$, 'are too many for a message');
select is(
    jsonb_array_length(parley_api.send_message(t.id('talk'), null, 'images',
        attachment_ids => array(select t.id('n' || n) from generate_series(1, 10) n)) -> 'attachments'),
    10, 'which has at most 10'
);

-- who sees them
select is(t.seen(), 'big.png fake.png lost.png n1.bin n10.bin n11.bin n2.bin n3.bin n4.bin n5.bin n6.bin n7.bin n8.bin n9.bin pdf.bin pic.png voice.bin',
    'a participant sees those of the messages, and the own ones');
select t.act('cid');
select is(t.seen(), 'n1.bin n10.bin n2.bin n3.bin n4.bin n5.bin n6.bin n7.bin n8.bin n9.bin pdf.bin pic.png voice.bin', 'others'' only once they are sent');
select t.host();
select is(has_column_privilege('authenticated', 'parley.attachment', 'storage_path', 'select'), false, 'where they lie is nobody''s to know');
select t.act('cid');
select parley_api.delete_message(t.id('message')) is null as hidden \gset
select unalike(t.seen(), '%pdf%', 'not those of a message hidden');
select t.act('eve');
select is(t.seen(), null, 'a stranger sees none');
select t.host();
select parley_api.add_participants(t.id('talk'), array[t.id('dan')]) is null as added \gset
select t.act('dan');
select is(t.seen(), null, 'nor does who joined later');
select is(parley_api.get_conversation_media(t.id('talk')) -> 'attachments', '[]', 'in the gallery either');

-- the gallery
select t.act('bob');
select is(t.gallery(null, null, 50), 'n1.bin n2.bin n3.bin n4.bin n5.bin n6.bin n7.bin n8.bin n9.bin n10.bin voice.bin pdf.bin pic.png false',
    'the gallery has the newest message first');
select is(t.gallery('{voice,file}', null, 50), 'voice.bin pdf.bin false', 'of some kinds');
select is(t.gallery(null, null, 1), 'n1.bin n2.bin n3.bin n4.bin n5.bin n6.bin n7.bin n8.bin n9.bin n10.bin true 4', 'a page does not part a message');
select is(t.gallery(null, 4, 2), 'voice.bin pdf.bin pic.png false', 'the next one goes on');
select is(t.gallery(null, 4, 1), 'voice.bin true 3', 'seq by seq');
select is(t.gallery(null, 1, 1), 'false', 'until there is no more');
select t.refused('PT400', $$select t.gallery('{hologram}', null, 1)$$, 'of kinds there are');
select t.refused('PT400', $$select t.gallery(null, null, 0)$$, 'and pages of at least one');
select is(
    (parley_api.get_conversation_media(t.id('talk'), '{voice}') #> '{attachments,0}') - '{id,created_at,attached_at,url,variants,metadata}'::text[],
    jsonb_build_object(
        'kind', 'voice', 'state', 'attached', 'scan_state', 'pending', 'file_name', 'voice.bin', 'content_type', 'audio/ogg',
        'byte_size', 1000, 'width', null, 'height', null, 'duration_ms', 1500, 'waveform', '[0, 128, 255]'::jsonb,
        'conversation_id', t.id('talk'), 'seq', 3, 'sender_id', t.id('ann'),
        'message_id', t.look(format('select message_id from parley.attachment where id = %L', t.id('voice')))
    ),
    'with where each was said and by whom'
);
select t.act('cid');
select is(t.gallery('{voice,file}', null, 50), 'voice.bin false', 'what one has hidden is not in it');

-- variants and scans come later
select t.last_event_seq('talk') as event_seq \gset
select t.service();
select parley_api.record_upload(t.id('n1'), variants => '[{"name": "small"}]') is null as recorded \gset
select is(t.events_since('talk', :event_seq), 'message:updated', 'a new variant of a file that was sent is an event');
select parley_api.record_upload(t.id('n1'), variants => '[{"name": "small"}]') is null as recorded \gset
select is(t.events_since('talk', :event_seq), 'message:updated', 'once');
select t.refused('PT409', $$select parley_api.record_upload(t.id('n1'), failure => 'gone')$$, 'it does not fail any more');
select t.refused('PT400', format('select parley_api.record_scan(t.id(%L), %L)', 'n1', s), 'a scan does not say ' || coalesce(s, 'nothing'))
from unnest(array['pending', 'fine', null]) s;
select is(parley_api.record_scan(t.id('n2'), 'clean') ->> 'scan_state', 'clean', 'a scan says clean');
select is(parley_api.record_scan(t.id('n1'), 'infected') ->> 'scan_state', 'infected', 'or infected');
select is(parley_api.record_scan(t.id('n1'), 'clean') ->> 'scan_state', 'infected', 'which no later one takes back');
select is(t.events_since('talk', :event_seq), 'message:updated message:updated message:updated', 'each change is an event');
select parley_api.record_scan(t.id('n11'), 'infected') is null as scanned \gset
select t.act('ann');
select t.refused('PT403', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('n11')])$$, 'an infected file is not sent');
select unalike(t.seen(), '%n1.bin%', 'nor seen');
select is((select a.scan_state from parley_api.attachments a where a.id = t.id('n11')), 'infected', 'but by who declared it, before it was sent');
select unalike(t.gallery('{image}', null, 50), '%n1.bin%', 'in the gallery either');
select is(
    (select jsonb_build_array(a -> 'scan_state', a -> 'url', a -> 'variants')
     from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk'), after_seq => 3) #> '{messages,0,attachments}') a
     where a ->> 'id' = t.id('n1')::text),
    '["infected", null, []]', 'the message shows that there was one, and no way to it'
);
select t.refused('PT403',
    format('select parley_api.forward_message(%L, array[t.id(%L)])',
        parley_api.get_conversation_messages(t.id('talk'), after_seq => 3) #>> '{messages,0,id}', 'other'),
    'a message with one is not passed on');

-- copies share the file
select parley_api.forward_message(t.id('message'), array[t.id('other')]) #> '{messages,0}' as copy \gset
select t.keep('copy', :'copy'::jsonb ->> 'id');
select is(
    (select jsonb_agg(a - 'id') from jsonb_array_elements(:'copy'::jsonb -> 'attachments') a),
    (select jsonb_agg(a - 'id') from jsonb_array_elements(:'sent'::jsonb -> 'attachments') a),
    'a forwarded message has the same files'
);
select isnt(:'copy'::jsonb #> '{attachments,0,id}', :'sent'::jsonb #> '{attachments,0,id}', 'by ids of their own');
select is(t.object('pdf'), '2 kept', 'which are stored once');
select is(t.object('voice'), '1 kept', 'others are not counted');
select t.last_event_seq('other') as event_seq \gset
select t.service();
select parley_api.record_scan(t.id('pdf'), 'clean') is null as scanned \gset
select is(t.events_since('other', :event_seq), 'message:updated', 'a scan of one is a scan of all that share the file');
select t.act('ann');
select is(t.look(format('select array_agg(a.scan_state) from parley.attachment a where a.storage_path = %L', 'attachments/' || t.id('pdf'))), '{clean,clean}', 'both');

-- what becomes of the files
select parley_api.delete_message(t.id('message'), true) is null as deleted \gset
select is(t.state('pdf'), 'removed clean 1', 'deleting a message for everyone removes its files');
select is(t.object('pdf'), '1 kept', 'but not from the storage while a copy needs them');
select is(parley_api.get_conversation_messages(t.id('talk'), after_seq => 1) #> '{messages,0,attachments}', '[]', 'they are shown no more');
select unalike(t.seen(), '%pdf%', 'to anybody');
select t.service();
select is_empty('select parley_api.objects_to_delete()', 'nothing is to be deleted yet');
select t.act('ann');
select parley_api.delete_message(t.id('copy'), true) is null as deleted \gset
select is(t.object('pdf'), '0 to delete', 'when the last is gone they are to be deleted');
select t.service();
select set_eq('select parley_api.objects_to_delete()', format('values (%L), (%L)', 'attachments/' || t.id('pdf'), 'attachments/' || t.id('pic')),
    'and the service is told which');
select t.refused('PT400', 'select parley_api.objects_to_delete(0)', 'some at a time');
select is(parley_api.object_deleted('attachments/' || t.id('pdf')), true, 'it says when it has done so');
select is(parley_api.object_deleted('attachments/' || t.id('pdf')), false, 'once');
select is(parley_api.object_deleted('attachments/' || t.id('voice')), false, 'and never of one that is needed');
select is((select count(*) from parley_api.objects_to_delete()), 1::bigint, 'the rest is still to do');
select t.act('ann');
select t.refused('42501', 'select parley_api.objects_to_delete()', 'no user is told');
select t.refused('42501', $$select parley_api.object_deleted('x')$$, 'or says so');

-- expiry
select t.uploaded('brief', 'ann', 'image', 'image/png');
select t.keep('flash', parley_api.send_message(t.id('talk'), null, 'image', attachment_ids => array[t.id('brief')], expires_in => '1 minute') ->> 'id');
select alike(t.seen(), '%brief%', 'a file of a message that will disappear');
select t.host();
update parley.message set expires_at = now() - interval '1 second' where id = t.id('flash');
update parley.attachment set expires_at = now() - interval '1 second' where message_id = t.id('flash');
select t.act('ann');
select unalike(t.seen(), '%brief%', 'disappears with it');
select unalike(t.gallery('{image}', null, 50), '%brief%', 'from the gallery, too');
select t.host();
select parley.expire_messages() as more \gset
select is(t.look(format('select reference_count from parley.stored_object where storage_path = %L', 'attachments/' || t.id('brief'))), '0', 'and the job that removes the message gives its file up');

-- purging, and what was never sent
select is(parley.release_attachments(t.id('talk'), array(select m.id from parley.message m where m.conversation_id = t.id('talk') and m.type = 'voice')), 1::bigint,
    'whoever purges a message releases its files');
select is(t.look(format('select reference_count from parley.stored_object where storage_path = %L', 'attachments/' || t.id('voice'))), '0', 'which are to be deleted, too');
update parley.attachment set declared_at = now() - interval '23 hours' where message_id is null;
select is(parley.remove_orphaned_attachments(), false, 'what was declared a day ago and never sent');
select is((select count(*) from parley.attachment a where a.message_id is null), 5::bigint, 'stays for a day');
update parley.attachment set declared_at = now() - interval '25 hours' where id <> t.id('bobs');
select is(parley.remove_orphaned_attachments(), false, 'and then');
select is((select array_agg(a.id) from parley.attachment a where a.message_id is null), array[t.id('bobs')], 'is removed');
select is((select count(*) from parley.attachment a where a.state = 'attached'), 10::bigint, 'what was sent is not');
select is(t.look(format('select unreferenced_at is not null from parley.stored_object where storage_path = %L', 'attachments/' || t.id('n11'))), 'true', 'and its file is to be deleted');

-- a message that answers one with files shows the first of them
create function t.quoted(name text) returns jsonb language sql as $$
    select parley_api.get_conversation_messages(t.id('quotes'), around_message_id => t.id($1), page_size => 1) #> '{messages,0,reply_to}'
$$;
create function t.quoted_in_log(name text) returns jsonb language sql security definer as $$
    select r.payload::jsonb #> '{message,reply_to}'
    from parley.render_events((select array_agg(e.id) from parley.event e where e.message_id = t.id($1) and e.kind = 'message:new')) r
$$;
select t.act('ann');
select t.keep('quotes', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('talk', t.id('quotes')::text);
select t.uploaded('memo', 'ann', 'voice', 'audio/ogg');
select t.uploaded('cover', 'ann', 'image', 'image/png');
select t.uploaded('inside', 'ann', 'image', 'image/png');
select t.service();
select parley_api.record_upload(t.id('cover'), 1000, variants => '[{"name": "small", "url": "https://x/s"}]', url => 'https://x/c') is null as recorded \gset
select t.act('ann');
select t.keep('pictures', parley_api.send_message(t.id('quotes'), null, 'image', attachment_ids => array[t.id('cover'), t.id('inside')]) ->> 'id');
select t.keep('spoken', parley_api.send_message(t.id('quotes'), null, 'voice', attachment_ids => array[t.id('memo')]) ->> 'id');
select t.act('bob');
select parley_api.send_message(t.id('quotes'), 'nice', reply_to_id => t.id('pictures')) as nice \gset
select t.keep('nice', :'nice'::jsonb ->> 'id');
select t.keep('heard', parley_api.send_message(t.id('quotes'), 'heard', reply_to_id => t.id('spoken')) ->> 'id');
select is(
    :'nice'::jsonb #> '{reply_to,attachment}',
    (parley_api.get_conversation_messages(t.id('quotes'), around_message_id => t.id('pictures'), page_size => 1)
        #> '{messages,0,attachments,0}') - '{waveform,metadata}'::text[],
    'a quote shows the first file as the message does'
);
select is(:'nice'::jsonb #>> '{reply_to,attachment,variants,0,url}', 'https://x/s', 'with its preview');
select is(t.quoted('nice'), :'nice'::jsonb -> 'reply_to', 'in the history');
select is(t.quoted_in_log('nice'), :'nice'::jsonb -> 'reply_to', 'and in the log');
select is(
    (select string_agg(k, ' ' order by k) from jsonb_object_keys(t.quoted('heard') -> 'attachment') k),
    'byte_size content_type duration_ms file_name height id kind scan_state state url variants width', 'of a recording how long it is, not its waveform'
);
select parley_api.delete_message(t.id('pictures')) is null as hidden \gset
select is(t.quoted('nice'), 'null', 'nothing to who has hidden the message');
select t.act('cid');
select is(t.quoted('nice') #>> '{attachment,id}', t.id('cover')::text, 'others are shown it');
select t.service();
select parley_api.record_scan(t.id('cover'), 'infected') is null as scanned \gset
select t.act('cid');
select is(
    (select jsonb_build_array(q -> 'url', q -> 'variants', q -> 'scan_state') from (select t.quoted('nice') -> 'attachment' as q) x),
    '[null, [], "infected"]', 'of an infected one there is nothing to fetch'
);
select t.act('ann');
select parley_api.add_participants(t.id('quotes'), array[t.id('dan')]) is null as added \gset
select t.act('dan');
select parley_api.send_message(t.id('quotes'), 'hello') is null as sent \gset
select is(t.quoted_in_log('nice'), 'null', 'the log has nothing that not all may see');
select t.host();
update parley.message set expires_at = now() - interval '1 second' where id = t.id('spoken');
select t.act('ann');
select is(t.quoted('heard') -> 'attachment', 'null', 'nor has the quote of what has expired');
select parley_api.delete_message(t.id('pictures'), true) is null as deleted \gset
select is(t.quoted('nice') -> 'attachment', 'null', 'or was deleted');

select * from finish();
rollback;
