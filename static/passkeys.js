// Creates a passkey or asks for one. Its button is hidden until this file has found that it can.
(() => {
  const supported =
    window.PublicKeyCredential?.parseCreationOptionsFromJSON &&
    window.PublicKeyCredential.parseRequestOptionsFromJSON;

  const loadOptions = async (button) => {
    if (!button.dataset.optionsUrl) {
      return JSON.parse(document.getElementById("passkey-options").textContent);
    }
    const response = await fetch(button.dataset.optionsUrl);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  };

  const ask = async (button) => {
    const { publicKey } = await loadOptions(button);
    const credential =
      button.dataset.passkey === "create"
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
          });
    return JSON.stringify(credential);
  };

  document.querySelectorAll("[data-passkey]").forEach((button) => {
    const { form } = button;
    const refusal = form.querySelector("[data-passkey-refusal]");
    const field = form.elements[button.dataset.field ?? "credential"];
    if (!supported) {
      form.querySelector("[data-passkey-unsupported]")?.removeAttribute("hidden");
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      if (button.dataset.passkey === "create" && !form.reportValidity()) return;
      refusal.hidden = true;
      button.disabled = true;
      try {
        field.value = await ask(button);
        // A field of the form can be named “submit”.
        HTMLFormElement.prototype.submit.call(form);
      } catch {
        refusal.hidden = false;
        button.disabled = false;
      }
    });
  });
})();
