import Testing

@testable import ParleyCore

@Suite struct ReservedEventsTests {
    private let reserved = ReservedEvents(["participant:left", "message:new", "account:updated", "klass:straße"])

    @Test(
        arguments: [
            "participant:left", "PARTICIPANT:LEFT", "Message:New", "account:updated",
            // Turkish: capitals of i are İ, small letters of I are ı.
            "partİcİpant:left", "PARTİCİPANT:LEFT", "partıcıpant:left", "part\u{69}\u{307}cipant:left",
            // Letters with one capital in common: the Kelvin sign, the long s, sharp s.
            "\u{212A}lass:straße", "KLASS:STRASSE", "klass:straẞe", "me\u{17F}\u{17F}age:new",
        ])
    func isTheServers(event: String) { #expect(self.reserved.contains(event)) }

    @Test(arguments: ["call:me", "participant:", "participant:left2", "message:new ", "participänt:left", "", "İ"])
    func isAnyones(event: String) { #expect(!self.reserved.contains(event)) }
}
