// All participants of a large group. Loaded with its first use.
export async function loadParticipants({ rpc }, conversation) {
    const participants = [];
    for (let cursor; cursor !== null; ) {
        const page = await rpc("get_participants", { conversation_id: conversation.id, page_size: 100, cursor });
        participants.push(...page.participants);
        cursor = page.next_cursor ?? null;
    }
    if (conversation.row) conversation.change({ participants });
    return participants;
}
