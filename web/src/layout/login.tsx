// The form to log in, in the place of whatever was to be shown: afterwards it is.

import { useState } from "preact/hooks";
import { ApiError, messageOf } from "../api/client";
import { logIn } from "../api/session";
import { TextField } from "../components/fields";
import { useTitle } from "../hooks";
import { say } from "./texts";

export function Login() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  useTitle(say("logIn"));

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await logIn(name, password);
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      setProblem(status === 401 ? say("wrong") : status === 429 ? say("tooMany") : messageOf(error));
      setPassword("");
    } finally {
      setBusy(false);
    }
  }

  return (
    <main id="main" class="login">
      <form class="card" onSubmit={submit}>
        <h1>{say("logIn")}</h1>
        <TextField label={say("name")} name="username" value={name} onValue={setName} autocomplete="username" required autofocus />
        <TextField label={say("password")} name="password" value={password} onValue={setPassword} type="password" autocomplete="current-password" required />
        {problem && <p class="bad" role="alert">{problem}</p>}
        <button type="submit" class="primary" disabled={busy}>{say("logIn")}</button>
      </form>
    </main>
  );
}
