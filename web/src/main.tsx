import "./theme";
import { render } from "preact";
import { Layout } from "./layout/layout";

render(<Layout />, document.body);
