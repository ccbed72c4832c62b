// Shows the API description with Swagger UI when its assets are there, and says what to do when not.

// Where the pages are, whatever a gateway puts in front.
const root = new URL("..", import.meta.url);
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const script = document.createElement("script");
script.src = new URL("vendor/swagger-ui-bundle.js", root).href;
script.addEventListener("error", () => (document.getElementById("fallback").hidden = false));
script.addEventListener("load", () =>
  window.SwaggerUIBundle({ url: new URL("openapi.json", root).href, dom_id: "#reference", deepLinking: true, validatorUrl: null }));
document.head.append(script);
