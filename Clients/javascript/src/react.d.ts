import type { Connection, Conversation, ConversationsOptions, ConversationsSnapshot, MessagesOptions, MessagesSnapshot, MessagesView, Outgoing, Parley, Sending, UnreadCounts } from "./parley.d.ts";

export function useConversations(parley: Parley, options?: ConversationsOptions): ConversationsSnapshot;
export function useConversation(parley: Parley, id: string): Conversation | null;
export function useMessages(
    parley: Parley, conversationId: string, options?: MessagesOptions & { markRead?: boolean },
): MessagesSnapshot & Pick<MessagesView, "loadOlder" | "loadNewer" | "jumpTo" | "jumpToNewest">;
export function useSendMessage(
    parley: Parley, conversationId: string,
): ((message: string | Outgoing) => Sending) & { retry(id: string): boolean; cancel(id: string): boolean };
export function useUnreadCount(parley: Parley): UnreadCounts;
export function useUnreadCount(parley: Parley, conversationId: string): number;
export function useTyping(parley: Parley, conversationId: string): { users: readonly string[]; onKey(): void; onStop(): void };
export function useConnection(parley: Parley): Connection;
