extension WebTree {
    /// The modules that a module loads before it runs, without itself, in the order in which they are met.
    ///
    /// A page that names them spares the browser the way through them, one level after the other.
    func modules(of path: String) -> [String] {
        var found: [String] = []
        var seen: Set = [path]
        var next = [path]
        while let module = next.first {
            next.removeFirst()
            for target in self.imports(of: module) where seen.insert(target).inserted {
                found.append(target)
                next.append(target)
            }
        }
        return found
    }

    /// Static imports and exports by relative paths that lead to a file of the tree. A dynamic `import("...")` is none.
    private func imports(of path: String) -> [String] {
        guard let file = self.files[path] else { return [] }
        let text = String(decoding: file.bytes, as: UTF8.self)
        let folder = path.split(separator: "/").dropLast().map(String.init)
        var parts = text.split(separator: "\"", omittingEmptySubsequences: false)[...]
        var targets: [String] = []
        while let before = parts.popFirst(), let quoted = parts.first {
            let words = before.split { !$0.isLetter }
            guard before.last?.isLetter == true || before.last?.isWhitespace == true,
                words.last == "from" || words.last == "import", quoted.hasPrefix("./") || quoted.hasPrefix("../")
            else { continue }
            var steps = folder
            for step in quoted.split(separator: "/") where step != "." {
                if step == ".." { _ = steps.popLast() } else { steps.append(String(step)) }
            }
            let target = steps.joined(separator: "/")
            if self.files[target] != nil { targets.append(target) }
        }
        return targets
    }
}
