// What an event changes in a row of the inbox and in the messages that are held. What cannot be computed here exactly
// answers "dirty": the next sync brings it. Events are applied in their order, each once; payloads show things as they
// were when they were rendered, which may be later than the event, so everything here may be applied again.
import { compare, later, left, moment } from "./base.js";

const PREVIEW = 200;

/** Changes `conversation` (see conversation.js) by an event; true: the row must come from the server. */
export function applyEvent(conversation, event, payload, me) {
    const handler = HANDLERS[event];
    return handler ? handler(conversation, payload, me) === true : !PASSING.test(event);
}

/** What changes no row. */
const PASSING = /^(call|scheduled):/;

const HANDLERS = {
    "message:new"(c, { message, at }, me) {
        const known = message.seq <= c.row.last_seq;
        c.upsert(message);
        if (known) return false;
        const mine = message.sender_id === me;
        const row = { last_seq: message.seq, last_activity_at: later(c.row.last_activity_at, at ?? message.created_at) };
        const settings = c.row.me ?? {};
        if (message.sender_id !== null) row.last_message = preview(message);
        if (!mine && message.seq > settings.last_read_seq) {
            row.unread_count = c.row.unread_count + 1;
            if (message.mentions_all || message.mentions.includes(me)) row.mention_count = c.row.mention_count + 1;
        }
        c.change(row);
        // whether a notice counts is a setting of the server; what is expiring, archived or deleted has rules of its own
        return (
            message.sender_id === null || message.deleted_at !== null || message.expires_at !== null ||
            settings.archived_at !== null || settings.deleted_seq !== null || settings.folder === "requests"
        );
    },
    "message:updated"(c, { message }) {
        const before = c.messages.get(message.seq);
        c.upsert(message, { onlyIfHeld: true });
        c.requote(message);
        if (c.row.last_message?.id === message.id) c.change({ last_message: preview(message) });
        return message.seq > (c.row.me?.last_read_seq ?? 0) && (!before || String(before.mentions) !== String(message.mentions));
    },
    "message:deleted"(c, { message_id: id, seq, for_everyone: forEveryone, expired, at }) {
        if (!forEveryone || expired) c.remove(seq);
        else c.update(seq, (message) => tombstone(message, at), { refetch: true });
        c.requote({ ...tombstone({ id, seq }, at), gone: !forEveryone });
        if (c.row.last_message?.id === id && forEveryone && !expired) c.change({ last_message: tombstone(c.row.last_message, at) });
        else if (c.row.last_message?.id === id) return true;
        return seq > (c.row.me?.last_read_seq ?? 0);
    },
    "message:reaction"(c, { seq, user_id: user, emoji, op }) {
        c.update(seq, (message) => ({ ...message, reactions: react(message.reactions, emoji, user, op === "added") }), {
            // whose reaction is now the first of its kind, and so the order of kinds, the server knows
            refetch: (message) => op === "removed" && firstOf(message.reactions, emoji) === user,
        });
    },
    "message:pinned"(c, { seq, pinned_at: at }) {
        c.update(seq, (message) => ({ ...message, pinned_at: at, updated_at: later(message.updated_at, at) }));
    },
    "message:unpinned": (c, { seq }) => c.update(seq, (message) => ({ ...message, pinned_at: null }), { refetch: true }),
    "message:starred": (c, { seq }) => c.update(seq, (message) => ({ ...message, starred: true })),
    "message:unstarred": (c, { seq }) => c.update(seq, (message) => ({ ...message, starred: false })),
    "message:read"(c, { user_id: user, last_read_seq: seq, read_at: readAt, event_seq: eventSeq }, me) {
        // without a number it is the reader's own, and private: the others see nothing of it
        if (eventSeq != null) c.participant(user, (p) => reached(p, seq, "last_read_seq", "last_delivered_seq"));
        if (c.row.type === "direct") c.readAt(user, seq, readAt);
        if (user !== me || !c.row.me || seq < c.row.me.last_read_seq) return false;
        c.change({ me: { ...reached(c.row.me, seq, "last_read_seq", "last_delivered_seq"), last_read_at: readAt, marked_unread: false } });
        if (seq < c.row.last_seq) return true;
        c.change({ unread_count: 0, mention_count: 0 });
    },
    "message:delivered"(c, { user_id: user, last_delivered_seq: seq }, me) {
        c.participant(user, (p) => reached(p, seq, "last_delivered_seq"));
        if (user === me && c.row.me) c.change({ me: reached(c.row.me, seq, "last_delivered_seq") });
    },
    "conversation:new": mergeConversation,
    "conversation:updated": mergeConversation,
    "participant:joined": mergeParticipant,
    "participant:updated"(c, payload, me) {
        if (!payload.settings) return mergeParticipant(c, payload, me);
        const { settings } = payload;
        const before = c.row.me;
        c.change({ me: settings });
        if (before && settings.history_from_seq > before.history_from_seq) c.forgetBefore(settings.history_from_seq);
        return !before || before.folder !== settings.folder || before.deleted_seq !== settings.deleted_seq;
    },
    "participant:left"(c, { user_id: user, participant }) {
        const left_at = participant?.left_at ?? c.row.created_at;
        const change = { participants: c.row.participants.filter((p) => p.user_id !== user) };
        if (c.row.counterpart?.user_id === user) change.counterpart = participant ?? { ...c.row.counterpart, left_at };
        c.change(change);
        return true;
    },
    "draft:updated"(c, { draft }) {
        c.change({ draft: draft ?? null });
    },
    "poll:updated"(c, { seq, votes, total_voters: total, closed_at: closedAt }) {
        const voted = (message) => {
            if (!message.poll) return message;
            const options = message.poll.options.map((option, index) => ({ ...option, votes: votes[index] ?? option.votes }));
            return { ...message, poll: { ...message.poll, options, total_voters: total, closed_at: closedAt ?? message.poll.closed_at } };
        };
        // the names of the voters come with the message
        c.update(seq, voted, { refetch: true });
    },
};

/** Horizons do not go back. */
function reached(who, seq, ...names) {
    return names.reduce((all, name) => ({ ...all, [name]: Math.max(all[name] ?? 0, seq) }), who);
}

function mergeConversation(c, { conversation }) {
    if (!conversation) return true;
    // a rendering for everybody: what is the viewer's own stays
    const { last_seq: _, last_event_seq: __, last_activity_at: ___, participants, ...rest } = conversation;
    c.change({ ...rest, participants: c.row.participants.length > participants.length ? c.row.participants : participants });
    return true;
}

function mergeParticipant(c, { user_id: user, participant, role }, me) {
    if (participant) {
        const others = c.row.participants.filter((p) => p.user_id !== user);
        const change = { participants: [...others, participant].sort(byJoining) };
        if (c.row.counterpart?.user_id === user) change.counterpart = participant;
        if (user === me && c.row.me) change.me = { ...c.row.me, role: participant.role ?? role, app_role: participant.app_role };
        c.change(change);
    }
    return true;
}

function byJoining(a, b) {
    return compare(moment(a.joined_at), moment(b.joined_at)) || compare(a.user_id, b.user_id);
}

/** A message as the inbox shows it. */
export function preview(message) {
    return { ...message, content: left(message.content, PREVIEW), reactions: [] };
}

export const BARE = { content: null, metadata: {}, mentions: [], mentions_all: false, attachments: [], reactions: [], reply_to: null };

export function tombstone(message, at) {
    return { ...message, ...BARE, ...(message.poll !== undefined ? { poll: null } : {}), deleted_at: message.deleted_at ?? at };
}

export function react(reactions, emoji, user, on) {
    const found = reactions.find((reaction) => reaction.emoji === emoji);
    const had = found?.user_ids.includes(user) ?? false;
    if (had === on) return reactions;
    if (!found) return [...reactions, { emoji, count: 1, user_ids: [user] }];
    const ids = on ? [...found.user_ids, user] : found.user_ids.filter((id) => id !== user);
    return reactions
        .map((reaction) => (reaction === found ? { ...found, count: ids.length, user_ids: ids } : reaction))
        .filter((reaction) => reaction.count > 0);
}

function firstOf(reactions, emoji) {
    const found = reactions.find((reaction) => reaction.emoji === emoji);
    return found && found.user_ids.length > 1 ? found.user_ids[0] : null;
}
