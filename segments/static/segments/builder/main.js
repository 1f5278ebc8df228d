// Turns every text area of a rule into a builder. Without this script, or should it fail, the text area works.

import { Builder } from "./builder.js";
import { Server } from "./server.js";

for (const area of document.querySelectorAll("textarea[data-rule-builder]")) {
  const server = new Server(area);
  server
    .catalogue()
    .then((catalogue) => new Builder({ area, server, catalogue }))
    .catch((error) => console.warn("The rule builder could not start; the rule can be edited as JSON.", error));
}
