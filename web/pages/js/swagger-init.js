// Shows the API description with Swagger UI when its assets are there, and says what to do when not.

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const script = document.createElement("script");
script.src = "/vendor/swagger-ui-bundle.js";
script.addEventListener("error", () => (document.getElementById("fallback").hidden = false));
script.addEventListener("load", () =>
  window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null }));
document.head.append(script);
