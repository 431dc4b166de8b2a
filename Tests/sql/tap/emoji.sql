-- One emoji is one grapheme cluster, and one reaction however it is written.
begin;
select plan(8);
\ir ../people.psql

create function t.stored(emoji text) returns text language plpgsql as $$
begin
    return parley.require_emoji(emoji);
exception when sqlstate 'PT400' then
    return 'refused';
end
$$;
select is(
    (select string_agg(e.given, ' ') from (values
        ('👍', '👍'), (E'👍\ufe0f', '👍'), (E'👍\ufe0e', '👍'), ('👍🏽', '👍🏽'), (E'\u2764', E'\u2764\ufe0f'), (E'\u2764\ufe0f', E'\u2764\ufe0f'),
        (E'1\u20e3', E'1\ufe0f\u20e3'), (E'#\ufe0f\u20e3', E'#\ufe0f\u20e3'), ('🇩🇪', '🇩🇪'), ('👨‍👩‍👧‍👦', '👨‍👩‍👧‍👦'), (E'🏳\u200d🌈', E'🏳\ufe0f\u200d🌈'),
        (E'🧑\u200d\u2695', E'🧑\u200d\u2695\ufe0f'), ('🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'), ('☝🏽', '☝🏽'), ('🧑🏻‍❤️‍💋‍🧑🏿', '🧑🏻‍❤️‍💋‍🧑🏿'), (E'\u00a9', E'\u00a9\ufe0f'), ('🫨', '🫨')
    ) as e (given, stored) where t.stored(e.given) <> e.stored),
    null, 'an emoji has one spelling: a picture without a selector, a sign with one'
);
select is(
    (select string_agg(e.given, ' ') from (values
        (''), ('a'), ('1'), ('#'), (' '), ('👍👍'), ('👍👍👍'), ('🇩'), ('🇩🇪🇫'), ('🇩🇪🇫🇷'), ('←'), (E'\u200d'), (E'👍\u200d'), (E'\u200d👍'), (E'\ufe0f'),
        ('❤️❤️'), (E'🏴\U000e0067'), (E'1\u20e32\u20e3'), ('👍a'), ('👍 '), ('👍🏽🏽'), ('∑'), ('█'), ('🀀'), (repeat('👍‍', 10) || '👍')
    ) as e (given) where t.stored(e.given) <> 'refused'),
    null, 'several, halves, arrows and letters are none'
);
select is(t.stored(null), 'refused', 'nor is nothing');

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('message', t.send('talk', 'hello')::text);
select is(
    jsonb_path_query_array(parley_api.add_reaction(t.id('message'), e.emoji), '$.reactions[*].emoji')::text, e.shown, 'add ' || e.n
)
from (values (1, E'👍\ufe0f', '["👍"]'), (2, '👍', '["👍"]'), (3, E'\u2764', '["👍", "❤️"]')) as e (n, emoji, shown);
select is(
    jsonb_path_query_array(parley_api.remove_reaction(t.id('message'), e.emoji), '$.reactions[*].emoji')::text, e.shown, 'remove ' || e.n
)
from (values (1, E'❤\ufe0e', '["👍"]'), (2, E'👍\ufe0f', '[]')) as e (n, emoji, shown);
select * from finish();
rollback;
