import { render } from 'preact'
import { App } from './app'
import { Visit } from './features/join/visit'
import { language } from './words'
import './ui/tokens.css'
import './ui/base.css'

const page = document.getElementById('page')
if (page) {
  document.documentElement.lang = language.value
  const visit = new Visit()
  render(<App visit={visit} />, page)
  window.addEventListener('hashchange', () => window.location.reload())
  void visit.open()
}
