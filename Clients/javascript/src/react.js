// Hooks for React 18 and later. `parley` is what createParley returned; the components that use these re-render when
// what they show changes, and only then.
//
//   const { conversations } = useConversations(parley);
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

function useStore(store) {
    return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** {conversations, loading}: the inbox, or what `filter` and `search` leave of it. */
export function useConversations(parley, { filter, search } = {}) {
    return useStore(useMemo(() => parley.conversations({ filter, search }), [parley, filter, search]));
}

/** One conversation; null while it is unknown. */
export function useConversation(parley, id) {
    return useStore(useMemo(() => parley.conversation(id), [parley, id]));
}

const NOTHING = Object.freeze({
    messages: Object.freeze([]), loading: true, loadingOlder: false, loadingNewer: false, hasOlder: false, hasNewer: false,
    unreadAfterSeq: null, target: null, error: null,
});
const nothing = { subscribe: () => () => {}, getSnapshot: () => NOTHING };

/**
 * The snapshot of a window on the messages, with loadOlder, loadNewer, jumpTo and jumpToNewest. The window closes with the
 * component. `markRead`: what is shown while the page is visible counts as read.
 */
export function useMessages(parley, conversationId, { around, pageSize, live, markRead = false } = {}) {
    const [view, setView] = useState(null);
    // opened in an effect, so that a render that React throws away, or does twice, leaves no window open
    useEffect(() => {
        const opened = parley.messages(conversationId, { around, pageSize, live });
        setView(opened);
        return () => opened.close();
    }, [parley, conversationId, around, pageSize, live]);
    const current = view?.conversationId === conversationId ? view : null;
    const snapshot = useStore(current ?? nothing);
    const newest = snapshot.messages.filter((message) => message.seq !== null).at(-1)?.seq ?? null;
    useEffect(() => {
        if (!markRead || newest === null) return undefined;
        const read = () => {
            if (globalThis.document?.visibilityState !== "hidden") parley.markRead(conversationId, newest);
        };
        read();
        globalThis.document?.addEventListener("visibilitychange", read);
        return () => globalThis.document?.removeEventListener("visibilitychange", read);
    }, [parley, conversationId, markRead, newest]);
    return useMemo(() => ({
        ...snapshot,
        loadOlder: () => current?.loadOlder() ?? Promise.resolve(),
        loadNewer: () => current?.loadNewer() ?? Promise.resolve(),
        jumpTo: (target) => current?.jumpTo(target) ?? Promise.resolve(),
        jumpToNewest: () => current?.jumpToNewest() ?? Promise.resolve(),
    }), [snapshot, current]);
}

/** send(message), with retry and cancel, for one conversation. */
export function useSendMessage(parley, conversationId) {
    return useMemo(() => {
        const send = (message) => parley.send(conversationId, message);
        return Object.assign(send, { retry: parley.retry, cancel: parley.cancel });
    }, [parley, conversationId]);
}

/** The counts of all conversations; with an id that of one. */
export function useUnreadCount(parley, conversationId) {
    const all = useStore(parley.unread);
    const one = useStore(useMemo(() => (conversationId ? parley.conversation(conversationId) : nothing), [parley, conversationId]));
    return conversationId ? (one?.unread_count ?? 0) : all;
}

/** {users, onKey, onStop}: who else is typing, and what tells the others. Needs a window on the messages, somewhere. */
export function useTyping(parley, conversationId) {
    const users = useStore(useMemo(() => parley.typing(conversationId), [parley, conversationId]));
    const onKey = useCallback(() => parley.setTyping(conversationId), [parley, conversationId]);
    const onStop = useCallback(() => parley.setTyping(conversationId, false), [parley, conversationId]);
    const stop = useRef(onStop);
    stop.current = onStop;
    useEffect(() => () => stop.current(), [conversationId]);
    return useMemo(() => ({ users, onKey, onStop }), [users, onKey, onStop]);
}

/** The connection, for a banner. */
export function useConnection(parley) {
    return useStore(parley.connection);
}
