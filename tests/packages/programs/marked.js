import { marked } from 'marked';

export default ({ markdown }) => marked.parse(markdown);
