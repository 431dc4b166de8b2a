// A storage of AsyncStorage's shape: values are JSON. Loaded only where the application passes one.
export class Items {
    #storage;
    constructor(storage) {
        this.#storage = storage;
    }
    async load(prefix) {
        const keys = (await this.#storage.getAllKeys()).filter((key) => key.startsWith(prefix));
        const values = await Promise.all(keys.map((key) => this.#storage.getItem(key)));
        const entries = [];
        keys.forEach((key, index) => {
            try {
                if (values[index] != null) entries.push([key, JSON.parse(values[index])]);
            } catch {
                entries.push([key, undefined]);
            }
        });
        return entries;
    }
    async write(entries) {
        for (const [key, value] of entries) {
            if (value === null) await this.#storage.removeItem(key);
            else await this.#storage.setItem(key, JSON.stringify(value));
        }
    }
}
