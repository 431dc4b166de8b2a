// Shows the components over a client that the test makes: window.show({ ... }) with what fake() takes.
import { useParley } from "../components/index.js";
import { VirtualList } from "../components/virtual.js";
import * as parts from "./fake.js";

const thread = document.querySelector("parley-thread");
Object.assign(window, {
    parts, VirtualList,
    show(options = {}) {
        window.fake = parts.fake(options);
        useParley(window.fake);
        thread.conversation = null;
        thread.conversation = "c1";
        return window.fake;
    },
    root: (name) => document.querySelector(name).shadowRoot,
});
document.body.dataset.ready = "";
