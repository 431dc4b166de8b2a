-- A message is judged within its send, where the recipient does not know the sender or the account is new. As
-- write_message, one long function with few statements: each call of another, and each statement, costs a judged send
-- 10 us, and each expression as much as a lookup. What it says of words and their SimHash is what parley.spam_words and
-- parley.simhash say.

create or replace function parley.judge_message(
    conversation_id uuid,
    unanswered boolean,
    sender_id uuid,
    added_by uuid,
    is_new boolean,
    message_id uuid,
    content text,
    type text,
    metadata jsonb,
    is_edit boolean default false,
    is_measured boolean default true,
    out is_suspect boolean
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    -- without values to begin with: each would be an expression
    v_words text[];
    v_has_link boolean;
    v_add bigint;
    v_simhash bigint;
    v_is_near boolean;
    v_near_texts bigint;
    v_near_recipients bigint;
    v_findings parley.spam_finding[];
begin
    -- 1. what most have not
    if num_nonnulls(judge_message.added_by, metadata) > 0 or type = 'encrypted' or not judge_message.unanswered then
        -- whoever was added may answer by this, and is a stranger where it is a request to somebody else
        if judge_message.unanswered and judge_message.added_by is not null then
            unanswered := parley.still_unanswered(
                judge_message.conversation_id, judge_message.sender_id, judge_message.added_by
            );
        end if;
        -- what is encrypted says nothing here
        if type = 'encrypted' or not judge_message.unanswered and is_new is not true then
            return;
        end if;
        if metadata is not null then
            content := concat_ws(E'\n', content, nullif(metadata - 'formatting', '{}')::text);
        end if;
    end if;

    -- 2. what it says, and whether the sender said so before; a greeting is nobody's mass mailing
    -- letters, and signs as a sentence has them: no link, and no word that fold_name would write otherwise
    if content ~ '^([A-Za-z]+[.,]? |[A-Za-z]+'')*[A-Za-z]+[.!?]*$' and char_length(content) < 4000 then
        v_words := string_to_array(
            rtrim(replace(replace(replace(lower(content collate "C"), ', ', ' '), '. ', ' '), '''', ' '), '.!?'), ' '
        );
    else
        v_words := parley.spam_words(content);
        v_has_link := content ~ E'\\.[0-9A-Za-z\u00aa-\U000e0fff]|://|[\uff0e\u3002]';
    end if;
    v_add := 15 - cardinality(v_words) / 2;
    -- 4 to 31 words
    if v_add between 0 and 13 and not is_edit then
        insert into parley.spam_fingerprint as f (sender_id, conversation_id, simhash)
        select
            judge_message.sender_id,
            judge_message.conversation_id,
            ((sum(w.h & 37191016277640225)::bigint + v_add * 37191016277640225) & 595056260442243600)
            | ((sum(w.h & 74382032555280450)::bigint + v_add * 74382032555280450) & 1190112520884487200)
            | ((sum(w.h & 148764065110560900)::bigint + v_add * 148764065110560900) & 2380225041768974400)
            | ((sum(w.h & 297528130221121800)::bigint + v_add * 297528130221121800) & 4760450083537948800)
        from (select hashtextextended(unnest(v_words), 0) as h) as w
        returning
            f.simhash,
            -- before this one; most have none, and of two among 32 one is that near as a rule
            exists (
                select
                from (
                    select b.simhash
                    from parley.spam_fingerprint as b
                    where b.sender_id = judge_message.sender_id
                    order by b.id desc
                    limit 32
                ) as n
                where bit_count((n.simhash # f.simhash)::bit(64)) <= 10
            )
        into v_simhash, v_is_near;
    elsif v_add < 14 then
        v_simhash := parley.simhash(v_words);
        v_is_near := true;
        if not is_edit then
            insert into parley.spam_fingerprint (sender_id, conversation_id, simhash)
            values (judge_message.sender_id, judge_message.conversation_id, v_simhash);
        end if;
    end if;

    -- 3. which rules fire, and what follows: without these nothing measures more than 0
    if v_is_near or is_measured or is_new or v_has_link then
        if v_is_near then
            select
                -- without this one
                n.texts - case when is_edit then 0 else 1 end,
                n.recipients
            into v_near_texts, v_near_recipients
            from parley.near_texts(judge_message.sender_id, v_simhash, judge_message.conversation_id) as n;
        end if;
        v_findings := parley.spam_findings(
            content, v_words, v_near_texts, v_near_recipients, judge_message.sender_id, is_new
        );
        if v_findings <> '{}' then
            is_suspect := true;
            perform parley.act_on_spam(
                v_findings, judge_message.conversation_id, judge_message.sender_id, message_id, judge_message.unanswered,
                v_simhash
            );
        end if;
    end if;
end;
$$;
comment on function parley.judge_message is
'Judges a message of a stranger or of a new account under the conversation''s lock: refuses it, moves the conversation to the requests of the recipient, or lets it pass. The first message of the recipient ends that. True: a rule fired.';
