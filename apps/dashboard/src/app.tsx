import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { longDuration } from '#shared/domain/words';
import { isUnwell, unreachableSince } from './api/client';
import { apiKey, keyIsWanted, setApiKey } from './api/key';
import { queryClient } from './api/queries';
import { useStore } from './api/store';
import { DeadLetters } from './screens/dead-letters/dead-letters';
import { Job } from './screens/job/job';
import { Jobs } from './screens/jobs/jobs';
import { Overview } from './screens/overview/overview';
import { Resources } from './screens/resources/resources';
import { Scheduled } from './screens/scheduled/scheduled';
import { Submit } from './screens/submit/submit';
import { Dialog, Notes } from './ui/actions';
import { useKeys } from './ui/keys';
import { useNow } from './ui/now';
import { Empty } from './ui/states';
import { useTheme } from './ui/theme';

const SCREENS = [
  { path: '/', title: 'Overview', key: 'o' },
  { path: '/jobs', title: 'Jobs', key: 'j' },
  { path: '/scheduled', title: 'Scheduled', key: 's' },
  { path: '/dead-letters', title: 'Dead letters', key: 'd' },
  { path: '/resources', title: 'Resources', key: 'r' },
  { path: '/submit', title: 'Submit', key: 'n' },
] as const;

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search the jobs'],
  ['j, k', 'next, previous row'],
  ['Enter', 'open it'],
  ...SCREENS.map(({ key, title }) => [`g ${key}`, title] as const),
  ['?', 'this help'],
];

/** How long `g` waits for the letter of a screen. */
const CHORD_MS = 1_500;

export function App(): ReactNode {
  const [location, navigate] = useLocation();
  const [isHelping, setHelping] = useState(false);
  const chordUntil = useRef(0);
  const goTo = (path: string) => () => {
    if (Date.now() < chordUntil.current) navigate(path);
    chordUntil.current = 0;
  };
  useKeys({
    '?': () => setHelping(true),
    '/': () => {
      const field = document.querySelector<HTMLInputElement>('[data-search]');
      if (field) field.focus();
      else navigate('/jobs?focus=search');
    },
    g: () => (chordUntil.current = Date.now() + CHORD_MS),
    ...Object.fromEntries(SCREENS.map(({ key, path }) => [key, goTo(path)])),
  });
  useEffect(() => {
    const current = SCREENS.find(({ path }) => path !== '/' && location.startsWith(path)) ?? SCREENS[0];
    document.title = `${current.title} · Sluice`;
  }, [location]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <Link href="/" className="brand">
          Sluice
        </Link>
        <nav aria-label="Screens">
          {SCREENS.map(({ path, title }) => {
            const isHere = path === '/' ? location === '/' : location.startsWith(path);
            return (
              <Link key={path} href={path} aria-current={isHere ? 'page' : undefined}>
                {title}
              </Link>
            );
          })}
        </nav>
        <Appearance onHelp={() => setHelping(true)} />
      </header>
      <Disconnected />
      <main id="main" tabIndex={-1}>
        <KeyGate>
          <Switch>
            <Route path="/" component={Overview} />
            <Route path="/jobs" component={Jobs} />
            <Route path="/jobs/:id">{({ id }) => <Job key={id} id={id} />}</Route>
            <Route path="/scheduled" component={Scheduled} />
            <Route path="/dead-letters">
              <DeadLetters />
            </Route>
            <Route path="/dead-letters/:fingerprint">
              {({ fingerprint }) => <DeadLetters key={fingerprint} fingerprint={fingerprint} />}
            </Route>
            <Route path="/resources" component={Resources} />
            <Route path="/submit" component={Submit} />
            <Route path="/index.html">
              <Redirect to="/" />
            </Route>
            <Route>
              <Empty title="There is no such screen.">
                <Link href="/">To the overview</Link>
              </Empty>
            </Route>
          </Switch>
        </KeyGate>
      </main>
      <Notes />
      {isHelping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

function Appearance({ onHelp }: { readonly onHelp: () => void }): ReactNode {
  const [theme, next] = useTheme();
  return (
    <div className="appearance">
      <button type="button" onClick={next} title="Theme: as the system, light, or dark">
        {theme === 'system' ? '◐ auto' : theme === 'light' ? '○ light' : '● dark'}
      </button>
      <button type="button" onClick={onHelp} aria-label="Keyboard" title="Keyboard: ?">
        ?
      </button>
    </div>
  );
}

/** Said while the gateway does not answer; all is read again once it does. */
function Disconnected(): ReactNode {
  const since = useStore(unreachableSince);
  const unwell = useStore(isUnwell);
  useNow();
  const now = Date.now();
  const wasAway = useRef(false);
  useEffect(() => {
    if (since === null && wasAway.current) void queryClient.invalidateQueries();
    wasAway.current = since !== null;
  }, [since]);
  if (since === null && !unwell) return null;
  return (
    <p className="banner" role="alert">
      {since === null
        ? 'The gateway answers with errors, as it does without its database'
        : `The gateway has not answered for ${longDuration(now - since)}`}
      ; what you see may be from before. Trying again by itself.
    </p>
  );
}

/** Asks for a key when the gateway wants one. */
function KeyGate({ children }: { readonly children: ReactNode }): ReactNode {
  const isWanted = useStore(keyIsWanted);
  const key = useStore(apiKey);
  const [text, setText] = useState('');
  if (!isWanted) return children;
  const enter = (): void => {
    setApiKey(text.trim());
    void queryClient.resetQueries();
  };
  return (
    <form
      className="state"
      onSubmit={(event) => {
        event.preventDefault();
        enter();
      }}
    >
      <h1>An API key is needed</h1>
      {key !== '' && <p role="alert">The gateway does not know that key.</p>}
      <p>
        <label>
          Key{' '}
          <input type="password" value={text} autoComplete="off" onChange={(event) => setText(event.target.value)} />
        </label>{' '}
        <button type="submit" className="main" disabled={text.trim() === ''}>
          Go on
        </button>
      </p>
      <p className="quiet">
        It is kept in this tab until you close it. <code>npx sluice key new NAME</code> makes a new one.
      </p>
    </form>
  );
}

function Help({ onClose }: { readonly onClose: () => void }): ReactNode {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </Dialog>
  );
}
