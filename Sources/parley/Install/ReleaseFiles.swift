internal import FoundationEssentials
internal import Glibc

/// The files that a release has beside its program.
enum ReleaseFiles {
    /// Where to look, best first: `../share/parley/<installed>` beside the program, then the source tree it was built in.
    static func places(installed: String, inSource: String) -> [String] {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var folder = URL(filePath: program).deletingLastPathComponent()
        var places = [folder.deletingLastPathComponent().path + "/share/parley/" + installed]
        // .build/<triple>/release/parley: the source tree is some levels up.
        for _ in 0..<5 {
            places.append(folder.path + "/" + inSource)
            folder = folder.deletingLastPathComponent()
        }
        return places
    }

    /// The folder of the web client; nil if there is none.
    static var web: String? {
        self.places(installed: "web", inSource: "Clients/javascript").first {
            access($0 + "/web/index.html", R_OK) == 0
        }
    }
}
